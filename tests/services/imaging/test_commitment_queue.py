"""The durable queue of storage commitment, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from services.imaging import commitment_queue
from services.imaging.domain import Commitment, Reference
from shared.database import Sessions, create_engine, session_factory
from shared.ids import uuid7

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TENANT = "default"
ONE = (Reference("1.2.840.10008.5.1.4.1.1.1", "1.2.3"),)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def sessions(request: pytest.FixtureRequest) -> Iterator[Sessions]:
    """Sessions on a migrated database."""
    name = {"sqlite": "database_url", "postgres": "postgres_imaging_url"}[request.param]
    engine = create_engine(request.getfixturevalue(name))
    yield session_factory(engine)
    engine.dispose()


def asked(
    sessions: Sessions,
    transaction_uid: str,
    title: str = "CT_1",
    references: tuple[Reference, ...] = ONE,
    due_at: datetime = NOW,
) -> Commitment | None:
    new = Commitment(uuid7(), title, transaction_uid, references, NOW)
    with sessions.begin() as session:
        return commitment_queue.add(session, TENANT, new, due_at)


def claimed(sessions: Sessions, now: datetime = NOW) -> Commitment | None:
    with sessions.begin() as session:
        return commitment_queue.claim_next(session, TENANT, now, MINUTE)


def test_a_request_is_due_once_and_again_when_its_lease_ends(sessions: Sessions) -> None:
    known = asked(sessions, "1.1")
    assert claimed(sessions) == known
    assert claimed(sessions) is None
    assert claimed(sessions, NOW + MINUTE) == known


def test_the_same_request_again_is_the_one_that_is_known(sessions: Sessions) -> None:
    first, second = asked(sessions, "1.1"), asked(sessions, "1.1")
    assert first is not None
    assert first == second


def test_a_transaction_uid_is_taken_per_application_entity(sessions: Sessions) -> None:
    other = (Reference("1.2.840.10008.5.1.4.1.1.1", "1.2.4"),)
    asked(sessions, "1.1")
    assert asked(sessions, "1.1", references=other) is None
    assert asked(sessions, "1.1", title="PACS", references=other) is not None


def test_those_who_look_at_once_get_different_requests(sessions: Sessions) -> None:
    for number in range(8):
        asked(sessions, f"1.{number}")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: claimed(sessions), range(8)))
    # A row that another one is looking at may be passed over; it must not be taken twice.
    ids = [commitment.id for commitment in found if commitment is not None]
    assert len(ids) == len(set(ids)) >= 1


def test_a_peer_that_is_away_holds_up_nobody_else(sessions: Sessions) -> None:
    away = asked(sessions, "1.1", "AWAY")
    asked(sessions, "1.2", "AWAY")
    here = asked(sessions, "1.3", "HERE", due_at=NOW + timedelta(seconds=1))
    assert claimed(sessions) == away
    assert away is not None
    with sessions.begin() as session:
        commitment_queue.postpone(session, TENANT, away, NOW + 3 * MINUTE, NOW + 2 * MINUTE)
    assert claimed(sessions, NOW + MINUTE) == here
    assert claimed(sessions, NOW + timedelta(seconds=90)) is None


def test_what_is_reported_or_given_up_is_never_due_again(sessions: Sessions) -> None:
    for transaction_uid in ("1.1", "1.2"):
        asked(sessions, transaction_uid)
    first, second = claimed(sessions), claimed(sessions)
    assert first is not None
    assert second is not None
    with sessions.begin() as session:
        commitment_queue.mark_reported(session, first.id, NOW)
        commitment_queue.give_up(session, second.id)
    assert claimed(sessions, NOW + timedelta(days=30)) is None
