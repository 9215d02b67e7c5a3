"""An index on disk of what the cases need, made once: official tables are many times larger than memory.

It is a SQLite file named after its sources and options, so that other sources or options make another one. It is made
in passes, each one transaction: after an interruption the passes that were finished stay, and the next one begins.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.diagnosis.datasets.base import Split, split_of

CACHE_KIB = 16 * 1024
"""Memory of SQLite itself, per connection."""
TOLD_EVERY = 10_000
_OWN = """
CREATE TABLE IF NOT EXISTS passes (name TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS dropped (why TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
Advance = Callable[[], None]
"""To be called once a row."""


@dataclass(frozen=True)
class Pass:
    """One reading of one source into the index."""

    name: str
    run: Callable[[sqlite3.Connection, Advance], None]


class Index:
    """The index of one dataset, made on first use."""

    def __init__(self, cache: Path | None, schema: str, fingerprint: str, passes: Sequence[Pass]) -> None:
        """Nothing is read yet.

        Args:
            cache: directory that keeps the index between runs; None: a temporary one that goes with this object.
            fingerprint: of sources and options (`fingerprint_of`).
        """
        self._directory = cache or Path(tempfile.mkdtemp(prefix="consilium-index-"))
        self._temporary = cache is None
        if self._temporary:
            weakref.finalize(self, _remove, self._directory, os.getpid())
        self._schema, self._passes = schema, passes
        self.path = self._directory / f"{fingerprint[:24]}.sqlite"

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection to the finished index. Raises: whatever a pass raises."""
        self._directory.mkdir(parents=True, exist_ok=True)
        # Notes and identifiers lie in it.
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(sqlite3.connect(self.path, timeout=24 * 3600, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            if self._temporary:  # nobody opens it after a loss of power
                connection.execute("PRAGMA synchronous = OFF")
            connection.row_factory = sqlite3.Row
            self._build(connection)
            yield connection

    def _build(self, connection: sqlite3.Connection) -> None:
        connection.executescript(f"BEGIN IMMEDIATE; {_OWN} {self._schema} COMMIT;")
        left = [item for item in self._passes if not _is_done(connection, item)]
        if not left:
            return
        with _progress() as progress:
            task = progress.add_task("", total=len(self._passes), completed=len(self._passes) - len(left), rows="")
            for item in left:
                progress.update(task, description=f"indexing {item.name}")
                with transaction(connection):
                    # Another process may have made it while this one waited for the lock.
                    if not _is_done(connection, item):
                        item.run(connection, _row_counter(progress, task))
                        connection.execute("INSERT INTO passes VALUES (?)", (item.name,))
                progress.advance(task)


def _remove(directory: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked process has the object too, and is done earlier
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, even if the process is killed."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def fingerprint_of(files: Iterable[Path], options: object) -> str:
    """Changes when a file is added, replaced or removed, or an option is another. Contents are not read."""
    parts = [f"{options!r}"]
    for file in sorted(files):
        stat = file.stat()
        parts.append(f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def drop(connection: sqlite3.Connection, why: str, count: int = 1) -> None:
    """Count what is left out."""
    if count:
        upsert = "INSERT INTO dropped VALUES (?, ?) ON CONFLICT (why) DO UPDATE SET count = count + excluded.count"
        connection.execute(upsert, (why, count))


def dropped(connection: sqlite3.Connection) -> dict[str, int]:
    """What was left out and why -> how often."""
    return {row["why"]: row["count"] for row in connection.execute("SELECT why, count FROM dropped ORDER BY why")}


def in_batches(connection: sqlite3.Connection, query: str, size: int = 1000) -> Iterator[sqlite3.Row]:
    """The rows of a query in the order of their column `row`; the table may change meanwhile.

    Args:
        query: `SELECT … FROM …` without a condition.
    """
    last = -1
    while batch := connection.execute(f"{query} WHERE row > ? ORDER BY row LIMIT {size}", (last,)).fetchall():
        yield from batch
        last = batch[-1]["row"]


def of_split(rows: Iterable[sqlite3.Row], dataset: str, split: Split | None) -> Iterator[sqlite3.Row]:
    """The rows of one split; each has a `patient`, and a `split` that is empty where the harness's own applies."""
    return (row for row in rows if split is None or split == (row["split"] or split_of(dataset, row["patient"])))


def _is_done(connection: sqlite3.Connection, item: Pass) -> bool:
    return connection.execute("SELECT 1 FROM passes WHERE name = ?", (item.name,)).fetchone() is not None


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rows]}"),
    )
    return Progress(*columns, TimeElapsedColumn(), console=console, disable=not sys.stderr.isatty(), transient=True)


def _row_counter(progress: Progress, task: Any) -> Advance:
    rows = 0

    def advance() -> None:
        nonlocal rows
        rows += 1
        if rows % TOLD_EVERY == 0:
            progress.update(task, rows=f"{rows:,} rows")

    return advance
