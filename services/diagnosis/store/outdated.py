"""Which diagnoses no longer rest on what is known of their time, and up to where the log was followed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from services.diagnosis.currency import Change, Outdated, as_json, from_json
from services.diagnosis.domain import FINAL, RELEASED, Job
from services.diagnosis.rows import FollowedRow, JobRow, OutdatedRow
from services.diagnosis.store.jobs import job_of
from shared.contracts.diagnosis import JobStatus
from shared.database import insert_into


def mark_outdated(session: Session, job_id: str, changes: Sequence[Change], now: datetime) -> bool:
    """Record what changed. False: this stood there before, and nothing was written."""
    told = [as_json(change) for change in changes]
    row = session.get(OutdatedRow, job_id, with_for_update=True)
    if row is not None:
        if row.changes == told:
            return False
        row.changes = told
        return True
    new = insert_into(session, OutdatedRow).values(job_id=job_id, found_at=now, changes=told)
    # Two processes that find it at once: one of them writes, and one of them tells the log.
    first = new.on_conflict_do_nothing(index_elements=["job_id"]).returning(OutdatedRow.job_id)
    return session.scalar(first) is not None


def outdated(session: Session, job_ids: Sequence[str]) -> dict[str, Outdated]:
    """Those of these jobs that are outdated."""
    rows = session.scalars(sa.select(OutdatedRow).where(OutdatedRow.job_id.in_(job_ids))).all()
    successors = _successors(session, [row.job_id for row in rows])
    return {
        row.job_id: Outdated(
            row.job_id, row.found_at, tuple(from_json(change) for change in row.changes), successors.get(row.job_id)
        )
        for row in rows
    }


def _successors(session: Session, job_ids: Sequence[str]) -> dict[str, str]:
    old, new = aliased(JobRow), aliased(JobRow)
    query = (
        sa.select(old.id, sa.func.max(new.id))
        .join(new, sa.and_(new.patient == old.patient, new.id > old.id, new.as_of >= old.as_of))
        .where(old.id.in_(job_ids), new.manifest_digest != old.manifest_digest, new.status.in_(RELEASED))
        .group_by(old.id)
    )
    return dict(session.execute(query).all())


def jobs_of_subject(session: Session, subject_ref: str, as_of_from: datetime | None, limit: int) -> list[Job]:
    """The newest jobs of a patient, by pseudonym, that did not fail; as of a time at or after one, if given."""
    query = sa.select(JobRow).where(JobRow.subject_ref == subject_ref, JobRow.status != JobStatus.FAILED)
    query = query.where(JobRow.erased_at.is_(None))
    if as_of_from is not None:
        query = query.where(JobRow.as_of >= as_of_from)
    return [job_of(row) for row in session.scalars(query.order_by(JobRow.id.desc()).limit(limit))]


def unchecked(session: Session, limit: int) -> list[Job]:
    """Finished jobs whose evidence was never compared since, the oldest first."""
    query = sa.select(JobRow).where(JobRow.checked_at.is_(None), JobRow.status.in_(FINAL), JobRow.erased_at.is_(None))
    return [job_of(row) for row in session.scalars(query.order_by(JobRow.finished_at).limit(limit))]


def mark_checked(session: Session, job_id: str, now: datetime) -> None:
    """Note that a finished job's evidence was compared."""
    session.execute(sa.update(JobRow).where(JobRow.id == job_id).values(checked_at=now))


def followed(session: Session) -> int | None:
    """Index of the first entry of the log that was not read yet; None: none was."""
    row = session.get(FollowedRow, 1)
    return row.next_index if row is not None else None


def follow(session: Session, next_index: int) -> None:
    """Note how far the log was read; never backwards, whoever else reads it too."""
    new = insert_into(session, FollowedRow).values(id=1, next_index=next_index)
    ahead = FollowedRow.next_index < new.excluded.next_index
    session.execute(
        new.on_conflict_do_update(index_elements=["id"], set_={"next_index": new.excluded.next_index}, where=ahead)
    )
