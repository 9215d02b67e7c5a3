"""Every question that an auditor can ask is answered from an index, as the databases' own plans say."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from services.audit.api.terms import EntryTerms
from services.audit.domain.entries import EntryFilter, Page
from services.audit.keys import open_signer
from services.audit.store import entries as entry_store
from services.audit.store import terms as terms_store
from services.audit.store.entries import find_entries
from services.audit.store.rows import LeafRow
from services.audit.verify.log import verify_log
from services.audit.verify.notes import parse_key
from services.audit.verify.sources import open_source
from shared.database import Sessions, create_engine, migrate, session_factory
from tests.load import long_log
from tests.load.bench_audit_query import QUESTIONS
from tests.services.audit.support import ORIGIN

ENTRIES = 20_000
COLUMN = {
    "patient": "subject_ref", "actor": "actor", "type": "type", "subtype": "subtype", "producer": "producer",
    "model": "model", "purpose": "purpose", "outcome": "outcome",
}  # fmt: skip
SLOW = re.compile(r"(SCAN|Seq Scan on) leaf\b|USE TEMP B-TREE")
"""The whole table, as each database calls it; and SQLite's way to sort."""
FEW_SORTED = {"CO-ROUTINE anon_1", "SCAN anon_1", "USE TEMP B-TREE FOR ORDER BY"}
"""What a few indices are sorted by on SQLite: at most `FEW`, found in the index of times."""
Plan = list[str]


class Long(NamedTuple):
    """A long log, and its public key."""

    sessions: Sessions
    url: str
    vkey: str


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def long(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Long]:
    """A log of twenty thousand entries."""
    directory = tmp_path_factory.mktemp("long")
    with _database(request, directory) as url:
        sessions = _filled(url, directory)
        yield Long(sessions, url, (directory / "log.pub").read_text())
        sessions.kw["bind"].dispose()


@contextmanager
def _database(request: pytest.FixtureRequest, directory: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{directory}/audit.db"
        return
    server, name = request.getfixturevalue("postgres_server"), f"long_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    url = sa.engine.make_url(server).set(database=name).update_query_dict({"options": "-csearch_path=audit"})
    yield url.render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


def _filled(url: str, directory: Path) -> Sessions:
    migrate(url, "audit")
    engine = create_engine(url)
    signer = open_signer(ORIGIN, directory / "log.key", directory / "log.pub", None, None)
    sessions = session_factory(engine)
    long_log.fill(sessions, signer, ENTRIES)
    return sessions


def _plans(sessions: Sessions, wanted: EntryFilter, page: Page) -> tuple[list[Plan], int]:
    """The plans of all that is asked of the leaves and their spans, and how many entries came of it."""
    asked: list[tuple[str, Any]] = []
    engine = sessions.kw["bind"]

    def _note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
        if re.search(r"FROM leaf(_span)?\b", statement) and not statement.startswith("EXPLAIN"):
            asked.append((statement, parameters))

    with sessions() as session:
        connection = session.connection()
        sa.event.listen(connection, "before_cursor_execute", _note)
        found = find_entries(session, wanted, page, 101)
        sa.event.remove(connection, "before_cursor_execute", _note)
        explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
        plans = [[str(row[-1]) for row in connection.exec_driver_sql(explain + sql, values)] for sql, values in asked]
    return plans, len(found)


def _terms(name: str) -> EntryFilter:
    return EntryTerms.model_validate(QUESTIONS[name](random.Random(name))).to_domain()


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("few", [0, 1_000])
def test_no_question_reads_the_whole_log_or_sorts_it(
    long: Long, monkeypatch: pytest.MonkeyPatch, few: int, name: str, order: Any
) -> None:
    monkeypatch.setattr(entry_store, "FEW", few)
    for page in (Page(order, ENTRIES), Page(order, ENTRIES, ENTRIES // 2)):
        plans, _ = _plans(long.sessions, _terms(name), page)
        for plan in plans:
            lines = set(plan) - FEW_SORTED if set(plan) > FEW_SORTED else plan
            assert not [line for line in lines if SLOW.search(line)], plan


@pytest.mark.parametrize("name", COLUMN)
def test_each_term_has_its_index(long: Long, name: str) -> None:
    plans, _ = _plans(long.sessions, _terms(name), Page("newest", ENTRIES))
    if long.sessions.kw["bind"].dialect.name == "sqlite":
        assert f"ix_leaf_{COLUMN[name]}_idx" in json.dumps(plans)
    indexes = sa.inspect(long.sessions.kw["bind"]).get_indexes("leaf")
    assert [COLUMN[name], "idx"] in [index["column_names"] for index in indexes]


@pytest.mark.parametrize("name", ["an hour", "a quarter", "actor, a week"])
def test_a_long_time_is_looked_for_in_the_tiles_near_it(long: Long, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """By one statement, tile by tile in the order of the log."""
    monkeypatch.setattr(entry_store, "FEW", 0)
    monkeypatch.setattr(terms_store, "SAMPLE", 1)
    plans, _ = _plans(long.sessions, _terms(name), Page("newest", ENTRIES))
    (by_tile,) = [json.dumps(plan) for plan in plans if "leaf_span" in json.dumps(plan)]
    if long.sessions.kw["bind"].dialect.name == "sqlite" and "actor" not in name:
        assert "ix_leaf_idx_occurred_at" in by_tile


def _asked_by_chance(chance: random.Random, rows: Sequence[sa.RowMapping]) -> tuple[EntryFilter, Page]:
    """Up to three terms, most of them of one entry, and up to two ends of a time and of a part of the log."""
    one, other = chance.choice(rows), chance.choice(rows)
    names = chance.sample([name for name in COLUMN.values() if one[name] is not None], chance.randrange(4))
    terms = {name: (one if chance.random() < 0.8 else other)[name] for name in names}
    start, end = sorted(chance.choice(rows)["occurred_at"] for _ in range(2))
    first, last = sorted(chance.randrange(ENTRIES) for _ in range(2))
    wanted = EntryFilter(
        **terms,
        occurred_from=chance.choice([None, start]),
        occurred_to=chance.choice([None, end]),
        first_index=chance.choice([None, first]),
        last_index=chance.choice([None, last]),
    )
    after = chance.choice([None, chance.randrange(ENTRIES)])
    return wanted, Page(chance.choice(["newest", "oldest"]), chance.choice([ENTRIES, ENTRIES // 3]), after)


def _scanned(rows: Sequence[sa.RowMapping], wanted: EntryFilter, page: Page, limit: int) -> list[int]:
    """The indices of what is asked for, by a look at every entry."""
    found = [
        row["idx"]
        for row in rows[: page.size]
        if all(getattr(wanted, name) in (None, row[name]) for name in COLUMN.values())
        and (wanted.occurred_from is None or row["occurred_at"] >= wanted.occurred_from)
        and (wanted.occurred_to is None or row["occurred_at"] < wanted.occurred_to)
        and (wanted.first_index is None or row["idx"] >= wanted.first_index)
        and (wanted.last_index is None or row["idx"] <= wanted.last_index)
    ]
    if page.order == "newest":
        return [index for index in reversed(found) if page.after is None or index < page.after][:limit]
    return [index for index in found if page.after is None or index > page.after][:limit]


@pytest.mark.parametrize("bounds", [(20_000, 1_000, 4_000, 500), (30, 3, 5, 7), (0, 1, 1, 2)])
def test_every_way_to_an_answer_finds_what_a_look_at_every_entry_finds(
    long: Long, monkeypatch: pytest.MonkeyPatch, bounds: tuple[int, int, int, int]
) -> None:
    """With the bounds between the ways as they are, and so low that a short log goes all of them."""
    few, sample, merged, chunk = bounds
    monkeypatch.setattr(entry_store, "FEW", few)
    for name, value in {"SAMPLE": sample, "MERGED": merged, "CHUNK": chunk}.items():
        monkeypatch.setattr(terms_store, name, value)
    chance = random.Random(repr(bounds))
    columns = [LeafRow.idx, LeafRow.occurred_at, *(getattr(LeafRow, name) for name in COLUMN.values())]
    with long.sessions() as session:
        rows = session.execute(sa.select(*columns).order_by(LeafRow.idx)).mappings().all()
        for _ in range(200):
            wanted, page = _asked_by_chance(chance, rows)
            limit = chance.choice([1, 10, 101])
            found = [entry.index for entry in find_entries(session, wanted, page, limit)]
            assert found == _scanned(rows, wanted, page, limit), (wanted, page, limit)


def test_the_made_up_log_is_a_good_one(long: Long) -> None:
    with open_source(long.url.removeprefix("sqlite:///")) as source:
        report = verify_log(source, [parse_key(long.vkey)])
    assert (report.faults, report.facts["entries"], report.facts["signed"]) == ([], ENTRIES, ENTRIES)
