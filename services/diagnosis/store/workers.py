"""Which workers were heard of, and when."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.rows import WorkerRow
from services.diagnosis.store.leases import update


def worker_seen(session: Session, worker: str, bundle_digest: str, now: datetime) -> None:
    """A worker says that it is there; workers unheard of for a day are forgotten."""
    seen = sa.update(WorkerRow).where(WorkerRow.id == worker).values(seen_at=now, bundle_digest=bundle_digest)
    if not update(session, seen):
        session.execute(sa.delete(WorkerRow).where(WorkerRow.seen_at < now - timedelta(days=1)))
        session.add(WorkerRow(id=worker, bundle_digest=bundle_digest, seen_at=now))
        session.flush()


def forget_worker(session: Session, worker: str) -> None:
    """A worker says goodbye."""
    session.execute(sa.delete(WorkerRow).where(WorkerRow.id == worker))


def workers_since(session: Session, moment: datetime) -> int:
    """How many workers were heard of since a time."""
    return session.scalar(sa.select(sa.func.count()).select_from(WorkerRow).where(WorkerRow.seen_at >= moment)) or 0
