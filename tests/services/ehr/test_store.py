"""The tables, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.ehr import store
from shared.database import Sessions, create_engine, migrate, session_factory
from tests.support.common import TestBed

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
CARD = store.ShownCard("c-1", "svc", "result-1", "pat-1", "h-1", NOW)
FEEDBACK = store.CardFeedback("sha256:1", "svc", "c-1", "accepted", NOW, None, None, ["s-1"], "dr-a", NOW)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, bed: TestBed) -> str:
    """An empty database."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return bed.sqlite("ehr")


@pytest.fixture
def sessions(url: str) -> Iterator[Sessions]:
    """Sessions on a migrated database."""
    migrate(url, "ehr")
    engine = create_engine(url)
    yield session_factory(engine)
    engine.dispose()


def test_the_migrations_make_what_the_rows_declare(url: str) -> None:
    migrate(url, "ehr")
    engine = create_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), store.Base.metadata)
    engine.dispose()
    assert differences == []


def test_a_card_is_remembered_once(sessions: Sessions) -> None:
    with sessions.begin() as session:
        assert [store.add_card(session, CARD) for _ in range(2)] == [True, False]
        assert store.find_card(session, "c-1") == CARD


def test_feedback_is_kept_once(sessions: Sessions) -> None:
    with sessions.begin() as session:
        assert [store.add_feedback(session, FEEDBACK) for _ in range(2)] == [True, False]
        assert store.feedback_of(session, "c-1") == [FEEDBACK]


def test_an_unknown_card_is_none(sessions: Sessions) -> None:
    with sessions.begin() as session:
        assert store.find_card(session, "c-2") is None
        assert session.scalar(sa.select(sa.func.count()).select_from(store.CardRow)) == 0
