"""Which nights were replayed, and what can be."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.rows import ReplayNightRow, ResultRow
from shared.database import insert_into


def claim_night(session: Session, night: date) -> bool:
    """Take a night's replays; False where another process has."""
    new = insert_into(session, ReplayNightRow).on_conflict_do_nothing(index_elements=["night"])
    return session.scalar(new.returning(ReplayNightRow.night), {"night": night}) is not None


def released_since(session: Session, moment: datetime) -> list[str]:
    """The diagnoses that were released since, oldest first."""
    query = sa.select(ResultRow.job_id).where(ResultRow.released_at >= moment, ResultRow.body != "")
    return list(session.scalars(query.order_by(ResultRow.released_at)))


def erased_bundle(session: Session, job_id: str) -> str | None:
    """The digest of the bundle that gave a result which was released and then erased; None: there was none."""
    released = sa.select(ResultRow.bundle_digest).where(ResultRow.job_id == job_id, ResultRow.released_at.is_not(None))
    return session.scalar(released)
