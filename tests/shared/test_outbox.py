"""Events are numbered without a gap, in the order of their commits, whatever is rolled back meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Session

from shared import outbox
from shared.clients import EventsRefused
from shared.contracts.audit import Actor, AuditEvent
from shared.database import Sessions, create_engine, new_metadata, reading, session_factory
from shared.ids import uuid7


class Base(DeclarativeBase):
    metadata = new_metadata()


class OutboxRow(outbox.OutboxMixin, Base):
    pass


class OutboxCounterRow(outbox.OutboxCounterMixin, Base):
    pass


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sessions]:
    """An empty outbox on each database."""
    if request.param == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path}/outbox.db")
    else:
        engine = create_engine(request.getfixturevalue("postgres_url"))
    Base.metadata.create_all(engine)
    yield session_factory(engine)
    engine.dispose()


def _event(producer: str = "notes", subtype: str = "x") -> AuditEvent:
    from datetime import UTC, datetime

    return AuditEvent(
        event_id=uuid7(), tenant="default", producer=producer, type="read", subtype=subtype, action="R",
        outcome="success", occurred_at=datetime.now(UTC), actor=Actor(issuer="t", subject="t", role="service"),
    )  # fmt: skip


def _add(session: Session, producer: str = "notes", subtype: str = "x") -> None:
    outbox.add(session, OutboxRow, _event(producer, subtype))


def _numbers(sessions: Sessions) -> list[int | None]:
    with reading(sessions) as session:
        return list(session.scalars(sa.select(OutboxRow.producer_seq).order_by(OutboxRow.seq)))


def test_events_of_one_and_of_several_transactions_are_numbered_on(sessions: Sessions) -> None:
    for count in (1, 3, 2):
        with sessions.begin() as session:
            for _ in range(count):
                _add(session)
    assert _numbers(sessions) == [1, 2, 3, 4, 5, 6]


def test_what_is_rolled_back_takes_no_number(sessions: Sessions) -> None:
    with sessions() as session:
        _add(session)
        session.flush()
        session.rollback()
        _add(session)
        session.commit()
        _add(session)
        session.commit()
    assert _numbers(sessions) == [1, 2]


def test_what_a_savepoint_takes_back_takes_no_number(sessions: Sessions) -> None:
    with sessions.begin() as session:
        _add(session)
        with session.begin_nested():
            _add(session)
        savepoint = session.begin_nested()
        _add(session)
        session.flush()
        savepoint.rollback()
        _add(session)
    assert _numbers(sessions) == [1, 2, 3]


def test_each_producer_counts_for_itself(sessions: Sessions) -> None:
    for producer in ("notes", "vitals", "notes"):
        with sessions.begin() as session:
            advance, _ = outbox._statements(session.get_bind().dialect.name, OutboxRow.metadata.tables["outbox"])
            assert session.scalar(advance, {"producer": producer, "last": 2}) in (2, 4)
    with reading(sessions) as session:
        counted = {row.producer: row.last for row in session.scalars(sa.select(OutboxCounterRow))}
    assert counted == {"notes": 4, "vitals": 2}


def test_many_writers_leave_no_gap(sessions: Sessions) -> None:
    start = threading.Barrier(8)

    def _write(number: int) -> None:
        start.wait()
        for turn in range(10):
            with sessions() as session:
                _add(session)
                session.flush()
                if turn % 3 == number % 3:
                    session.rollback()
                else:
                    session.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_write, range(8)))
    numbers = sorted(number for number in _numbers(sessions) if number is not None)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) == len(_numbers(sessions)) > 40


def test_relay_sends_the_numbers_and_rows_of_before_without_one(sessions: Sessions) -> None:
    sent: list[AuditEvent] = []

    def _send(events: Sequence[AuditEvent]) -> None:
        sent.extend(events)

    with sessions.begin() as session:
        old = OutboxRow(event_id=uuid7(), body=_event().model_dump_json(by_alias=True), created_at=_event().occurred_at)
        session.add(old)
    with sessions.begin() as session:
        _add(session)
        _add(session)
    assert outbox.OutboxRelay(sessions, OutboxRow, _send).drain() == 3
    assert [event.producer_seq for event in sent] == [None, 1, 2]


class PickyLog:
    """An audit service that takes no event of certain subtypes, and no batch with one in it."""

    def __init__(self, *refused: str) -> None:
        self.refused, self.taken = refused, list[AuditEvent]()

    def append(self, events: Sequence[AuditEvent]) -> None:
        if any(event.subtype in self.refused for event in events):
            raise EventsRefused("no")
        self.taken += events


def test_a_refused_event_does_not_hold_up_the_others_and_is_told_of(sessions: Sessions) -> None:
    with sessions.begin() as session:
        for number in range(1, 8):
            _add(session, subtype="bad" if number in (3, 7) else f"good-{number}")
    picky = PickyLog("bad")
    relay = outbox.OutboxRelay(sessions, OutboxRow, picky.append)
    assert (relay.lag()[0], relay.drain(), relay.lag()) == (7, 7, (0, 0.0))
    assert [event.producer_seq for event in picky.taken] == [1, 2, 3, 4, 5, 6, 7]
    told = {event.producer_seq: event for event in picky.taken if event.subtype == "event-refused"}
    assert set(told) == {3, 7}
    with reading(sessions) as session:
        kept = session.execute(sa.select(OutboxRow.producer_seq, OutboxRow.event_id, OutboxRow.body)).all()
    for seq, event_id, body in kept:
        if seq in told:
            named = told[seq].object
            assert named is not None
            assert named.id == event_id
            assert '"subtype":"bad"' in body


def test_what_is_told_of_a_refused_event_is_one_event_however_often_it_is_sent(sessions: Sessions) -> None:
    with sessions.begin() as session:
        _add(session, subtype="bad")
    picky = PickyLog("bad")
    relay = outbox.OutboxRelay(sessions, OutboxRow, picky.append)
    relay.drain()
    with sessions.begin() as session:
        session.execute(sa.update(OutboxRow).values(sent_at=None))
    relay.drain()
    first, again = picky.taken
    assert first == again


def test_a_log_that_refuses_everything_loses_nothing(sessions: Sessions) -> None:
    with sessions.begin() as session:
        _add(session)
    relay = outbox.OutboxRelay(sessions, OutboxRow, PickyLog("x", "event-refused").append)
    with pytest.raises(EventsRefused):
        relay.drain()
    count, seconds = relay.lag()
    assert count == 1
    assert seconds >= 0
