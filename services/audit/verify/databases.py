"""The log as its database holds it: a SQLite file, or PostgreSQL where `psycopg` is installed.

Everything is read in one transaction that sees one state, and in the order of the log, so that memory stays small.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .entries import Columns, Row
from .faults import CannotCheck
from .sides import SideTables

FETCH = 2_000
TIMES = ("received_at", "occurred_at")
CONSENT = ("id", "version", "subject_ref", "decision", "purpose", "modalities", "start", "end", "withdrawn")
CONSENT_LISTS = ("purposes", "recipients", "exceptions")
"""Which databases from before 2026-12 do not have."""
BUNDLE_EVENT = ("bundle_id", "change", "at", "actor", "percent")
BUNDLE_EVIDENCE = ("id", "bundle_id", "content", "at", "issuer", "actor")
BUNDLE = ("name", "version", "digest", "card")
NEWER = ("purpose", "model")
"""The last of the columns, which databases from before 2026-12 do not have."""
Query = Callable[[str], Iterator[Any]]


class _Anything:
    """Equal to whatever it is compared with: stands for a copy that was not kept."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]  # as everything is equal to it, no hash could be right


ANYTHING: Any = _Anything()


class DatabaseSource:
    """All that the tables hold. Entries come with their copies; tiles whole, as they are stored."""

    def __init__(self, query: Query, time: Callable[[str], str]) -> None:
        self._query, self._time = query, time

    def notes(self) -> Iterator[tuple[int, bytes, str]]:
        """Size, root and note of every stored checkpoint, by size."""
        yield from self._query("SELECT size, root, note FROM checkpoint ORDER BY size")

    def cosignatures(self) -> dict[int, list[str]]:
        """The witnesses' signature lines by size; empty in a database from before there were any."""
        if not self._exists("cosignature"):
            return {}
        lines: dict[int, list[str]] = {}
        for size, line in self._query("SELECT size, line FROM cosignature ORDER BY size"):
            lines.setdefault(size, []).append(line)
        return lines

    def rows(self) -> Iterator[Row]:
        """The entries, by index."""
        names = [self._time(name) if name in TIMES else name for name in Columns._fields]
        if not self._has_column("leaf", "producer_seq"):
            names[Columns._fields.index("producer_seq")] = "NULL"
        newer = self._has_column("leaf", "purpose")
        names, rest = (names, ()) if newer else (names[: -len(NEWER)], (ANYTHING,) * len(NEWER))
        for row in self._query(f"SELECT idx, entry, {', '.join(names)} FROM leaf ORDER BY idx"):  # noqa: S608
            yield Row(row[0], row[1], Columns._make((*row[2:], *rest)))

    def spans(self) -> dict[int, tuple[str, str]] | None:
        """The times that each tile's entries span; None in a database from before that was kept."""
        if not self._has_column("leaf_span", "tile"):
            return None
        first, last = self._time('"first"'), self._time('"last"')
        return {n: (a, b) for n, a, b in self._query(f"SELECT tile, {first}, {last} FROM leaf_span")}  # noqa: S608

    def tiles(self, level: int) -> Iterator[tuple[int, bytes]]:
        """Number and hashes of the tiles of one level, by number."""
        query = f"SELECT n, hashes FROM tile WHERE level = {int(level)} ORDER BY n"  # noqa: S608  # a number
        yield from self._query(query)

    def top_level(self) -> int:
        """The highest level that any tile has; -1 where there is no tile."""
        (level,) = next(self._query("SELECT max(level) FROM tile"))
        return -1 if level is None else int(level)

    def size(self) -> int:
        """The size that the coordinate row tells."""
        (size,) = next(self._query("SELECT coalesce(max(size), -1) FROM coordinate"))
        return int(size)

    def repeated_events(self) -> list[int]:
        """The first place of each event id that stands in the log twice."""
        query = "SELECT min(idx) FROM leaf GROUP BY event_id HAVING count(*) > 1 ORDER BY 1"
        return [index for (index,) in self._query(query)]

    def side_tables(self) -> SideTables:
        """Consents and bundles."""
        lists = [name for name in CONSENT_LISTS if self._has_column("consent", name)]
        consents = {
            row.pop("idx"): row for row in self._records("consent", ("idx", *CONSENT, *lists), ("start", "end"))
        }
        known = [name for name in BUNDLE_EVENT if self._has_column("bundle_event", name)]
        changes = {row.pop("idx"): row for row in self._records("bundle_event", ("idx", *known), ("at",))}
        bundles = {row.pop("id"): row for row in self._records("bundle", ("id", *BUNDLE), ())}
        for row in consents.values():
            row["modalities"], row["withdrawn"] = _parsed(row["modalities"]), bool(row["withdrawn"])
            row |= {name: _parsed(row[name]) for name in lists}
        for row in bundles.values():
            row["card"] = _parsed(row["card"])
        return SideTables(consents, changes, bundles, self._evidence())

    def _evidence(self) -> dict[int, dict[str, Any]]:
        """What is known of bundles; empty in a database from before there was any."""
        if not self._has_column("bundle_evidence", "idx"):
            return {}
        rows = self._records("bundle_evidence", ("idx", *BUNDLE_EVIDENCE), ("at",))
        found = {row.pop("idx"): row for row in rows}
        for row in found.values():
            row["content"] = _parsed(row["content"])
        return found

    def _records(self, table: str, names: tuple[str, ...], times: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        chosen = ", ".join(self._time(f'"{name}"') if name in times else f'"{name}"' for name in names)
        for row in self._query(f"SELECT {chosen} FROM {table}"):  # noqa: S608  # names from above
            yield dict(zip(names, row, strict=True))

    def _exists(self, table: str) -> bool:
        return self._has_column(table, "size")

    def _has_column(self, table: str, column: str) -> bool:
        raise NotImplementedError


class SqliteSource(DatabaseSource):
    """A SQLite file, opened for reading."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        super().__init__(self._run, lambda name: name)

    def _run(self, statement: str) -> Iterator[Any]:
        cursor, done = self._connection.execute(statement), 0
        while True:
            try:
                rows = cursor.fetchmany(FETCH)
            except sqlite3.OperationalError as error:
                if "decode" not in str(error):
                    raise
                # Somebody has put bytes where text was. Read on more slowly, so that they are compared and named.
                self._connection.text_factory = _lenient_text
                cursor = self._connection.execute(f"SELECT * FROM ({statement}) LIMIT -1 OFFSET {done}")  # noqa: S608
                continue
            if not rows:
                return
            done += len(rows)
            yield from rows

    def _has_column(self, table: str, column: str) -> bool:
        query = "SELECT count(*) FROM pragma_table_info(?) WHERE name = ?"
        return bool(self._connection.execute(query, (table, column)).fetchone()[0])


class PostgresSource(DatabaseSource):
    """A PostgreSQL schema, read through server-side cursors."""

    def __init__(self, connection: Any) -> None:
        self._connection, self._cursors = connection, 0
        spelling = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        super().__init__(self._run, spelling.format)

    def _run(self, statement: str) -> Iterator[Any]:
        self._cursors += 1
        with self._connection.cursor(name=f"verify_{self._cursors}") as cursor:
            cursor.itersize = FETCH
            cursor.execute(statement)
            yield from cursor

    def _has_column(self, table: str, column: str) -> bool:
        query = (
            "SELECT count(*) FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND table_name = %s AND column_name = %s"
        )
        return bool(self._connection.execute(query, (table, column)).fetchone()[0])


@contextmanager
def open_sqlite(path: Path) -> Iterator[SqliteSource]:
    """The log in a SQLite file. Raises: CannotCheck."""
    if not path.exists():
        raise CannotCheck(f"there is no file {path}; a suite's log is db/audit.db in its data directory")
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)
        try:
            connection.execute("BEGIN")
            yield SqliteSource(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise CannotCheck(f"cannot read the database {path}: {error}") from error


@contextmanager
def open_postgres(url: str) -> Iterator[PostgresSource]:
    """The log in a PostgreSQL schema, named by `?options=-csearch_path=…`. Raises: CannotCheck."""
    try:
        import psycopg
    except ImportError as error:
        raise CannotCheck(
            "a log in PostgreSQL is read with the package psycopg: pip install 'psycopg[binary]'"
        ) from error
    try:
        with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1)) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield PostgresSource(connection)
    except psycopg.Error as error:
        raise CannotCheck(f"cannot read the database: {type(error).__name__}") from error


def _lenient_text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return None
