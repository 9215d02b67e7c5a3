"""The queue of images at which somebody has to look before they leave for research."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.imaging.domain import Region, Review, ReviewState
from services.imaging.store import InstanceRow, ReviewRow


def find(session: Session, tenant: str, instance_id: str) -> Review | None:
    """What is known of one instance; None where nobody has asked for it yet."""
    row = _row(session, tenant, instance_id)
    return _review(row) if row else None


def add(session: Session, tenant: str, review: Review, now: datetime) -> None:
    """Keep what an examination found; what another transaction found first stays."""
    row = ReviewRow(
        instance_id=review.instance_id,
        tenant=tenant,
        state=review.state,
        reason=review.reason,
        regions=_json(review.regions),
        examined_at=now,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return


def waiting(session: Session, tenant: str, limit: int) -> Sequence[tuple[Review, InstanceRow]]:
    """What waits longest, with the instance that it is about."""
    query = (
        sa.select(ReviewRow, InstanceRow)
        .join(InstanceRow, InstanceRow.id == ReviewRow.instance_id)
        .where(ReviewRow.tenant == tenant, ReviewRow.state == ReviewState.WAITING)
        .order_by(ReviewRow.examined_at, ReviewRow.instance_id)
        .limit(limit)
    )
    return [(_review(row), instance) for row, instance in session.execute(query)]


def decide(
    session: Session, tenant: str, instance_id: str, state: ReviewState, regions: Sequence[Region], now: datetime
) -> Review | None:
    """Keep what a person has decided; a later decision replaces an earlier one. None: nobody asked for the instance."""
    row = _row(session, tenant, instance_id, for_update=True)
    if row is None:
        return None
    row.state, row.regions, row.decided_at = state, _json(regions), now
    return _review(row)


def _row(session: Session, tenant: str, instance_id: str, *, for_update: bool = False) -> ReviewRow | None:
    row = session.get(ReviewRow, instance_id, with_for_update=for_update)
    return row if row is not None and row.tenant == tenant else None


def _review(row: ReviewRow) -> Review:
    regions = tuple(Region(**region) for region in json.loads(row.regions))
    return Review(row.instance_id, ReviewState(row.state), row.reason, regions)


def _json(regions: Sequence[Region]) -> str:
    return json.dumps([asdict(region) for region in regions])
