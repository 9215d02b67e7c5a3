"""Queries about accesses that broke the glass, and their reviews: both are written once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.break_glass import Access, Finding, Review, State
from services.audit.store.rows import BreakGlassReviewRow, BreakGlassRow
from shared.contracts.base import Modality, Purpose


def add_access(session: Session, access: Access) -> None:
    """Write an access."""
    row = {name: value for name, value in vars(access).items() if name not in ("index", "review")}
    row |= {"idx": access.index, "purpose": str(access.purpose), "modalities": [str(m) for m in access.modalities]}
    session.execute(sa.insert(BreakGlassRow), [row])


def add_review(session: Session, access_id: str, review: Review) -> None:
    """Write the review of an access. Raises: sqlalchemy.exc.IntegrityError: there is one."""
    row = {name: value for name, value in vars(review).items() if name != "index"}
    session.execute(sa.insert(BreakGlassReviewRow), [{**row, "access_id": access_id, "idx": review.index}])


def find_access(session: Session, access_id: str) -> Access | None:
    """One access."""
    found = session.execute(_joined().where(BreakGlassRow.id == access_id)).one_or_none()
    return _to_domain(*found) if found else None


def open_accesses(session: Session, subject_ref: str, now: datetime) -> list[Access]:
    """What has been opened of a patient and not closed by time."""
    query = _joined().where(BreakGlassRow.subject_ref == subject_ref, BreakGlassRow.expires_at > now)
    return [_to_domain(*found) for found in session.execute(query)]


def list_accesses(session: Session, state: State | None, now: datetime, limit: int) -> list[Access]:
    """Accesses, those whose review is due first; `open` includes the overdue ones, None means all."""
    unreviewed = BreakGlassReviewRow.access_id.is_(None)
    conditions = {
        None: sa.true(),
        "open": unreviewed,
        "overdue": sa.and_(unreviewed, BreakGlassRow.review_due_at <= now),
        "reviewed": sa.not_(unreviewed),
    }
    query = _joined().where(conditions[state]).order_by(BreakGlassRow.review_due_at, BreakGlassRow.idx).limit(limit)
    return [_to_domain(*found) for found in session.execute(query)]


def count_unreviewed(session: Session, due_before: datetime | None = None) -> int:
    """How many accesses nobody has reviewed; of those alone whose review was due before a time, where one is given."""
    query = sa.select(sa.func.count()).select_from(_outer()).where(BreakGlassReviewRow.access_id.is_(None))
    if due_before is not None:
        query = query.where(BreakGlassRow.review_due_at <= due_before)
    return session.execute(query).scalar_one()


def _outer() -> sa.FromClause:
    on = BreakGlassReviewRow.access_id == BreakGlassRow.id
    return sa.outerjoin(BreakGlassRow, BreakGlassReviewRow, on)


def _joined() -> sa.Select[Any, Any]:
    """Accesses, each with its review or None, which the types of an outer join do not tell."""
    return sa.select(BreakGlassRow, BreakGlassReviewRow).select_from(_outer())


def _to_domain(row: BreakGlassRow, review: BreakGlassReviewRow | None) -> Access:
    return Access(
        id=row.id,
        patient=row.patient,
        subject_ref=row.subject_ref,
        purpose=Purpose(row.purpose),
        modalities=tuple(Modality(value) for value in row.modalities),
        reason=row.reason,
        issuer=row.issuer,
        subject=row.subject,
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        review_due_at=row.review_due_at,
        index=row.idx,
        review=_review(review) if review else None,
    )


def _review(row: BreakGlassReviewRow) -> Review:
    finding: Finding = "justified" if row.finding == "justified" else "unjustified"
    return Review(finding, row.comment, row.issuer, row.subject, row.at, row.idx)
