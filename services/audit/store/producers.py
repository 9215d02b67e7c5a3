"""Queries about the producers' own numbers: how far each has come, and which have not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.producers import Gap, Producer
from services.audit.store.rows import ProducerGapRow, ProducerRow
from shared.contracts.audit import AuditEvent

MAX_GAPS_SHOWN = 100


def saw_events(session: Session, events: Sequence[AuditEvent], now: datetime) -> None:
    """Note the numbers of new entries. The caller holds the coordinate, so nobody else does this meanwhile."""
    numbers: dict[str, list[int]] = {}
    for event in events:
        if event.producer_seq is not None:
            numbers.setdefault(event.producer, []).append(event.producer_seq)
    for producer, seen in numbers.items():
        _saw(session, producer, sorted(seen), now)


def all_producers(session: Session) -> list[Producer]:
    """Every producer that counts, by name."""
    rows = session.execute(sa.select(ProducerRow).order_by(ProducerRow.producer)).scalars().all()
    return [_to_domain(session, row) for row in rows]


def _saw(session: Session, producer: str, numbers: Sequence[int], now: datetime) -> None:
    row = session.get(ProducerRow, producer)
    if row is None:
        row = ProducerRow(producer=producer, highest=0, repeated=0, seen_at=now)
        session.add(row)
    for number in numbers:
        if number > row.highest + 1:
            session.add(_row(producer, Gap(row.highest + 1, number - 1, now)))
            session.flush()
        elif number <= row.highest and not _fill(session, producer, number):
            row.repeated += 1
        row.highest = max(row.highest, number)
    row.seen_at = now
    session.flush()


def _fill(session: Session, producer: str, number: int) -> bool:
    """Whether this number was missing; now it is not."""
    query = sa.select(ProducerGapRow).where(
        ProducerGapRow.producer == producer, ProducerGapRow.first <= number, ProducerGapRow.last >= number
    )
    row = session.execute(query).scalar()
    if row is None:
        return False
    pieces = Gap(row.first, row.last, row.found_at).without(number)
    session.delete(row)
    session.flush()
    session.add_all(_row(producer, piece) for piece in pieces)
    session.flush()
    return True


def _row(producer: str, gap: Gap) -> ProducerGapRow:
    return ProducerGapRow(producer=producer, first=gap.first, last=gap.last, found_at=gap.found_at)


def _to_domain(session: Session, row: ProducerRow) -> Producer:
    of_producer = ProducerGapRow.producer == row.producer
    width = ProducerGapRow.last - ProducerGapRow.first + 1
    missing = session.execute(sa.select(sa.func.coalesce(sa.func.sum(width), 0)).where(of_producer)).scalar_one()
    query = sa.select(ProducerGapRow).where(of_producer).order_by(ProducerGapRow.first).limit(MAX_GAPS_SHOWN)
    gaps = tuple(Gap(gap.first, gap.last, gap.found_at) for gap in session.execute(query).scalars())
    return Producer(row.producer, row.highest, row.repeated, row.seen_at, int(missing), gaps)
