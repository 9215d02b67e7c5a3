"""The durable queue of requests for storage commitment: what must be reported survives a restart.

`due_at` is schedule and lease in one: whoever moves it forward has the request for that long, and a process that dies
with it leaves it to come due again.
"""

from __future__ import annotations

import json
from dataclasses import astuple
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.imaging.domain import Commitment, Reference
from services.imaging.store import CommitmentRow


def add(session: Session, tenant: str, commitment: Commitment, due_at: datetime) -> Commitment | None:
    """Queue a request. The same one again is due again; None when its transaction UID names other instances."""
    try:
        with session.begin_nested():
            session.add(_row(tenant, commitment, due_at))
        return commitment
    except IntegrityError:
        row = session.scalars(
            sa.select(CommitmentRow).where(
                CommitmentRow.tenant == tenant,
                CommitmentRow.ae_title == commitment.ae_title,
                CommitmentRow.transaction_uid == commitment.transaction_uid,
            )
        ).one()
    known = _commitment(row)
    if known.references != commitment.references:
        return None
    row.due_at, row.attempts, row.requested_at = due_at, 0, commitment.requested_at
    return _commitment(row)


def _row(tenant: str, commitment: Commitment, due_at: datetime) -> CommitmentRow:
    return CommitmentRow(
        id=commitment.id,
        tenant=tenant,
        ae_title=commitment.ae_title,
        transaction_uid=commitment.transaction_uid,
        instances=json.dumps([astuple(reference) for reference in commitment.references]),
        requested_at=commitment.requested_at,
        attempts=commitment.attempts,
        due_at=due_at,
    )


def _commitment(row: CommitmentRow) -> Commitment:
    references = tuple(Reference(*pair) for pair in json.loads(row.instances))
    return Commitment(row.id, row.ae_title, row.transaction_uid, references, row.requested_at, row.attempts)


def claim_next(session: Session, tenant: str, now: datetime, lease: timedelta) -> Commitment | None:
    """The request that has been due longest; nobody else gets it before the lease ends."""
    due = sa.select(CommitmentRow).where(CommitmentRow.tenant == tenant, CommitmentRow.due_at <= now)
    row = session.scalars(due.order_by(CommitmentRow.due_at).limit(1).with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    row.due_at = now + lease
    return _commitment(row)


def mark_reported(session: Session, id_: str, now: datetime) -> None:
    """The report was received."""
    session.execute(_one(id_).values(due_at=None, reported_at=now))


def postpone(session: Session, tenant: str, commitment: Commitment, due_at: datetime, soonest: datetime) -> None:
    """Try again at `due_at`; nothing else for this application entity before `soonest`.

    A peer that is away would otherwise cost every request of its own a connection timeout, at the expense of others.
    """
    session.execute(_one(commitment.id).values(due_at=due_at, attempts=CommitmentRow.attempts + 1))
    others = sa.update(CommitmentRow).where(
        CommitmentRow.tenant == tenant, CommitmentRow.ae_title == commitment.ae_title, CommitmentRow.due_at < soonest
    )
    session.execute(others.values(due_at=soonest))


def give_up(session: Session, id_: str) -> None:
    """Nobody took the report for too long."""
    session.execute(_one(id_).values(due_at=None))


def _one(id_: str) -> sa.Update:
    return sa.update(CommitmentRow).where(CommitmentRow.id == id_)
