"""Every question that an auditor can ask is answered from an index, as the databases' own plans say."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from services.audit.api.terms import EntryTerms
from services.audit.domain.entries import EntryFilter, Page
from services.audit.keys import open_signer
from services.audit.store import entries as entry_store
from services.audit.store.entries import find_entries
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
SLOW = ("SCAN leaf", "Seq Scan on leaf", "USE TEMP B-TREE")
"""The whole table, as each database calls it; and SQLite's way to sort."""
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
    """The plans of all that is asked of the table of leaves, and how many entries came of it."""
    asked: list[tuple[str, Any]] = []
    engine = sessions.kw["bind"]

    def _note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
        if "FROM leaf " in statement.replace("\n", " ") and not statement.startswith("EXPLAIN"):
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
        for line in (line for plan in plans for line in plan):
            assert not [word for word in SLOW if word in line], plans


@pytest.mark.parametrize("name", COLUMN)
def test_each_term_has_its_index(long: Long, name: str) -> None:
    plans, _ = _plans(long.sessions, _terms(name), Page("newest", ENTRIES))
    if long.sessions.kw["bind"].dialect.name == "sqlite":
        assert f"ix_leaf_{COLUMN[name]}_idx" in json.dumps(plans)
    indexes = sa.inspect(long.sessions.kw["bind"]).get_indexes("leaf")
    assert [COLUMN[name], "idx"] in [index["column_names"] for index in indexes]


def test_a_long_time_is_looked_for_in_the_tiles_near_it(long: Long, monkeypatch: pytest.MonkeyPatch) -> None:
    """Late entries make some ranges more; all of them together are a part of the log."""
    monkeypatch.setattr(entry_store, "FEW", 0)
    plans, _ = _plans(long.sessions, _terms("an hour"), Page("newest", ENTRIES))
    assert 1 < len(plans) < ENTRIES / 256 / 2


def test_the_made_up_log_is_a_good_one(long: Long) -> None:
    with open_source(long.url.removeprefix("sqlite:///")) as source:
        report = verify_log(source, [parse_key(long.vkey)])
    assert (report.faults, report.facts["entries"], report.facts["signed"]) == ([], ENTRIES, ENTRIES)
