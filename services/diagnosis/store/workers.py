"""Which workers were heard of, and when."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.rows import ErasureRow, WorkerRow
from services.diagnosis.store.leases import update


def worker_seen(
    session: Session, worker: str, bundle_digest: str, now: datetime, forgot_at: datetime | None = None
) -> None:
    """A worker says that it is there, and up to which erasure it has forgotten; workers unheard of for a day are
    forgotten."""
    said = {"seen_at": now, "forgot_at": forgot_at}
    if not update(session, sa.update(WorkerRow).where(WorkerRow.id == worker).values(said)):
        session.execute(sa.delete(WorkerRow).where(WorkerRow.seen_at < now - timedelta(days=1)))
        session.add(WorkerRow(id=worker, bundle_digest=bundle_digest, **said))
        session.flush()


def forget_worker(session: Session, worker: str) -> None:
    """A worker says goodbye."""
    session.execute(sa.delete(WorkerRow).where(WorkerRow.id == worker))


def newest_erasure(session: Session) -> datetime | None:
    """When a patient was last erased."""
    return session.scalar(sa.select(sa.func.max(ErasureRow.erased_at)))


def remembering(session: Session, erased_at: datetime, seen_since: datetime) -> int:
    """How many workers that were heard of since a time may still hold what was erased at another."""
    holds = sa.or_(WorkerRow.forgot_at.is_(None), WorkerRow.forgot_at < erased_at)
    query = sa.select(sa.func.count()).select_from(WorkerRow).where(WorkerRow.seen_at >= seen_since, holds)
    return session.scalar(query) or 0


def workers_since(session: Session, moment: datetime) -> int:
    """How many workers were heard of since a time."""
    return session.scalar(sa.select(sa.func.count()).select_from(WorkerRow).where(WorkerRow.seen_at >= moment)) or 0
