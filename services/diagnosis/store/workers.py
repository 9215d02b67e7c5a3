"""Which workers were heard of, and when."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.rows import ErasureRow, WorkerRow
from services.diagnosis.store.leases import update


def worker_seen(session: Session, worker: str, bundle_digest: str, now: datetime, forgotten: int | None = None) -> None:
    """A worker says that it is there, and after how many erasures it has forgotten; workers unheard of for a day are
    forgotten."""
    said = {"seen_at": now, "bundle_digest": bundle_digest, "forgotten": forgotten}
    if not update(session, sa.update(WorkerRow).where(WorkerRow.id == worker).values(said)):
        session.execute(sa.delete(WorkerRow).where(WorkerRow.seen_at < now - timedelta(days=1)))
        session.add(WorkerRow(id=worker, **said))
        session.flush()


def forget_worker(session: Session, worker: str) -> None:
    """A worker says goodbye."""
    session.execute(sa.delete(WorkerRow).where(WorkerRow.id == worker))


def count_erasures(session: Session) -> int:
    """How often a patient was erased."""
    return session.scalar(sa.select(sa.func.count()).select_from(ErasureRow)) or 0


def remembering(session: Session, seen_since: datetime) -> int:
    """How many workers that were heard of since a time may still hold what was erased."""
    holds = sa.or_(WorkerRow.forgotten.is_(None), WorkerRow.forgotten != count_erasures(session))
    query = sa.select(sa.func.count()).select_from(WorkerRow).where(WorkerRow.seen_at >= seen_since, holds)
    return session.scalar(query) or 0


def workers_since(session: Session, moment: datetime) -> list[str]:
    """The bundles of the workers that were heard of since a time; an empty one for each that has none to answer
    with."""
    return list(session.scalars(sa.select(WorkerRow.bundle_digest).where(WorkerRow.seen_at >= moment)))
