"""Events reach the audit log by a transactional outbox: the event is written in the same transaction as what it tells
of.

A service has one outbox table on its own metadata (`class OutboxRow(OutboxMixin, Base)`), the counter beside it
(`class OutboxCounterRow(OutboxCounterMixin, Base)`), and one relay per process. The relay sends in order, at least
once; the audit service drops repeats by `event_id`. A broker is not involved.

An event that the log refuses, which none of ours should be, does not hold up those behind it: another takes its number
and tells of it, and its row stays in the outbox (`event-refused`).

Events bear their producer's number, 1, 2, 3 and so on without a gap, so that the log sees when one was taken out of the
outbox. Numbers are given as the last thing before the commit: the counter's row, which is locked for that, is locked no
longer than the commit takes, and whoever waits for it holds nothing that others of its kind wait for afterwards.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from shared.clients import EventsRefused
from shared.clock import utc_now
from shared.contracts.audit import Actor, AuditEvent, AuditObject
from shared.database import Sessions, UtcDateTime, insert_for, reading
from shared.ids import derived_id

BATCH = 256
POLL_S = 1.0
GATHER_S = 0.1
"""Between two sendings: under load a batch then costs the audit service, and us, what a single event does."""
UNNUMBERED = "outbox"
"""Where a session keeps the events that have no number yet."""
WAITING = Gauge("consilium_outbox_waiting", "Audit events that wait to be sent.", ["service"])
OLDEST = Gauge("consilium_outbox_oldest_seconds", "For how long the first of them has waited.", ["service"])
REFUSED = Counter("consilium_outbox_refused_total", "Events that the audit log refused.", ["service"])
log = structlog.get_logger(__name__)

Send = Callable[[Sequence[AuditEvent]], Any]
"""Hands events to the audit service; raises when they may not have arrived."""


class OutboxMixin:
    """Columns of an outbox table."""

    __tablename__ = "outbox"

    seq: Mapped[int] = mapped_column(
        sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    event_id: Mapped[str] = mapped_column(sa.String(36), unique=True)
    body: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    producer_seq: Mapped[int | None] = mapped_column(sa.BigInteger, index=True, unique=True)
    """The event's number; None only in rows from before there were numbers."""


class OutboxCounterMixin:
    """Columns of the table that remembers the number given last."""

    __tablename__ = "outbox_counter"

    producer: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(sa.BigInteger)


def add(session: Session, row: type[OutboxMixin], event: AuditEvent) -> None:
    """Put an event into the outbox, inside the caller's transaction; it gets its number when that commits."""
    entry = row(event_id=event.event_id, body=event.model_dump_json(by_alias=True), created_at=utc_now())  # type: ignore[call-arg]  # a mixin has no __init__ of its own
    session.add(entry)
    session.info.setdefault(UNNUMBERED, []).append((event.producer, entry))


def _number(session: Session) -> None:
    """Give numbers to what this transaction has put into the outbox and not taken back."""
    if not session.info.get(UNNUMBERED) or session.in_nested_transaction():
        return
    waiting = session.info.pop(UNNUMBERED)
    session.flush()
    kept = [(producer, entry) for producer, entry in waiting if sa.inspect(entry).persistent]
    for producer in dict(kept):
        entries = [entry for named, entry in kept if named == producer]
        advance, update = _statements(session.get_bind().dialect.name, entries[0].__table__)
        # Others who want numbers wait here until this commit.
        taken = session.connection().execute(advance, {"producer": producer, "last": len(entries)})
        first = int(taken.scalar_one()) - len(entries) + 1
        session.connection().execute(update, [{"row": e.seq, "number": n} for n, e in enumerate(entries, first)])


sa.event.listen(Session, "before_commit", _number)


@cache
def _statements(dialect: str, outbox: sa.Table) -> tuple[Any, Any]:
    """To take a producer's next numbers, giving the last of them, and to write one into its row."""
    counter = outbox.metadata.tables[OutboxCounterMixin.__tablename__]
    insert = insert_for(dialect, counter)
    last = {"last": counter.c.last + insert.excluded.last}
    advance = insert.on_conflict_do_update(index_elements=["producer"], set_=last).returning(counter.c.last)
    this = outbox.c.seq == sa.bindparam("row")
    return advance, sa.update(outbox).where(this).values(producer_seq=sa.bindparam("number"))


class OutboxRelay:
    """A thread that moves events from one outbox to the audit service.

    `wake()` after a commit makes it run at once, unless it has just run; otherwise it looks once a second. When the
    audit service does not answer, events stay where they are and the relay tries again, ever more slowly, up to 10 s
    apart.
    """

    def __init__(self, sessions: Sessions, row: type[OutboxMixin], send: Send) -> None:
        self._sessions, self._row, self._send = sessions, row, send
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox-relay", daemon=True)

    def start(self) -> None:
        """Begin relaying."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the batch in hand; what is unsent stays in the outbox."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=15)

    def wake(self) -> None:
        """There is something to send."""
        self._wake.set()

    def drain(self) -> int:
        """Send one batch and mark it sent; returns how many events were in it.

        No lock is held while the audit service works: two relays may send the same event, and it drops the second.
        """
        row: Any = self._row
        with reading(self._sessions) as session:
            query = sa.select(row.seq, row.body, row.producer_seq).where(row.sent_at.is_(None))
            waiting = session.execute(query.order_by(row.seq).limit(BATCH)).all()
        if waiting:
            self._deliver([_numbered(body, number) for _, body, number in waiting])
            with self._sessions.begin() as session:
                sent = sa.update(row).where(row.seq.in_([seq for seq, *_ in waiting])).values(sent_at=utc_now())
                session.execute(sent)
        return len(waiting)

    def lag(self) -> tuple[int, float]:
        """How many events wait to be sent, and for how many seconds the first of them has."""
        row: Any = self._row
        query = sa.select(sa.func.count(), sa.func.min(row.created_at)).where(row.sent_at.is_(None))
        with reading(self._sessions) as session:
            count, first = session.execute(query).one()
        return count, max((utc_now() - first).total_seconds(), 0.0) if first is not None else 0.0

    def _deliver(self, events: Sequence[AuditEvent]) -> None:
        """Send events; in the place of one that is refused, another that says so."""
        try:
            self._send(events)
        except EventsRefused:
            if len(events) > 1:
                middle = len(events) // 2
                self._deliver(events[:middle])
                self._deliver(events[middle:])
                return
            (refused,) = events
            log.error("the audit log refuses an event; it stays in the outbox", id=refused.event_id)
            self._send([_in_place_of(refused)])
            REFUSED.labels(refused.producer).inc()

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            self._wake.wait(POLL_S)
            self._wake.clear()
            try:
                while self.drain() == BATCH:
                    pass
                pause = GATHER_S
            except Exception as error:
                # Whatever failed, the events are still in the outbox: say so and try again, whoever wakes us meanwhile.
                pause = min(max(pause, POLL_S) * 2, 10.0)
                log.warning("audit events wait in the outbox", reason=type(error).__name__, retry_s=pause)


def measure(service: str, relay: OutboxRelay) -> None:
    """Show as metrics how far an outbox is behind, counted when somebody asks."""
    WAITING.labels(service).set_function(lambda: _lag(relay)[0])
    OLDEST.labels(service).set_function(lambda: _lag(relay)[1])


def _lag(relay: OutboxRelay) -> tuple[float, float]:
    try:
        return relay.lag()
    except SQLAlchemyError:
        # A page of metrics must not fail over one of them: nobody knows is no number.
        return math.nan, math.nan


def _in_place_of(refused: AuditEvent) -> AuditEvent:
    """What the log is told instead, under the same number. Nothing of the refused one is repeated but its id."""
    return AuditEvent(
        event_id=derived_id("event-refused", refused.event_id), tenant=refused.tenant, producer=refused.producer,
        producer_seq=refused.producer_seq, type="outbox", subtype="event-refused", action="C", outcome="failure",
        outcome_reason="the log refused an event of this service", occurred_at=refused.occurred_at,
        actor=Actor(issuer="consilium", subject=refused.producer, role="service"),
        object=AuditObject(kind="event", id=refused.event_id),
    )  # fmt: skip


def _numbered(body: str, number: int | None) -> AuditEvent:
    return AuditEvent.model_validate_json(body).model_copy(update={"producer_seq": number})
