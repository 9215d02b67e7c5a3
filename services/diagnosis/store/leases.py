"""Who may work on a job: claims, leases, fences, and what the dispatcher does when they run out."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.domain import Job
from services.diagnosis.errors import FenceLost
from services.diagnosis.rows import JobRow
from services.diagnosis.store.jobs import find_job, job_of
from shared.contracts.diagnosis import JobStatus
from shared.database import change_rows


def claim(
    session: Session, job_id: str, worker: str, *, now: datetime, lease_s: float, max_attempts: int
) -> Job | None:
    """Take a job that is due, or whose worker fell silent; None where there is nothing to take.

    The fence grows in the same statement, so that of two claims at once one waits, looks again and gets nothing.
    """
    due = sa.and_(JobRow.status == JobStatus.QUEUED, sa.or_(JobRow.not_before.is_(None), JobRow.not_before <= now))
    orphaned = sa.and_(JobRow.status == JobStatus.RUNNING, JobRow.lease_until < now)
    taken = update(
        session,
        sa.update(JobRow)
        .where(JobRow.id == job_id, JobRow.attempts < max_attempts, sa.or_(due, orphaned))
        .values(
            status=JobStatus.RUNNING,
            stage="claimed",
            fence=JobRow.fence + 1,
            attempts=JobRow.attempts + 1,
            claimed_at=now,
            lease_until=now + timedelta(seconds=lease_s),
            worker=worker,
            waits_for=None,
        ),
    )
    return find_job(session, job_id) if taken else None


def renew(session: Session, job_id: str, fence: int, *, now: datetime, lease_s: float, stage: str | None) -> bool:
    """Keep a job for another lease; False where it is no longer ours."""
    values: dict[str, object] = {"lease_until": now + timedelta(seconds=lease_s)}
    if stage is not None:
        values["stage"] = stage
    return update(session, _held(job_id, fence).values(**values)) == 1


def repoint(session: Session, job_id: str, fence: int, manifest_digest: str) -> None:
    """From now on the job is about another manifest. Raises: FenceLost."""
    held_update(session, job_id, fence, manifest_digest=manifest_digest)


def defer(session: Session, job_id: str, fence: int, *, until: datetime, reason: str) -> None:
    """Put a job back because something it needs is not there; that is no attempt. Raises: FenceLost.

    Args: reason: for whoever asked for the diagnosis; at most 500 characters.
    """
    held_update(
        session,
        job_id,
        fence,
        status=JobStatus.QUEUED,
        stage="waiting",
        not_before=until,
        waits_for=reason,
        sent_at=None,
        lease_until=None,
        attempts=JobRow.attempts - 1,
        deferrals=JobRow.deferrals + 1,
    )


def fail(session: Session, job_id: str, fence: int, error: str, now: datetime) -> None:
    """End a job without a result. Raises: FenceLost."""
    held_update(
        session, job_id, fence, status=JobStatus.FAILED, stage=None, error=error, finished_at=now, lease_until=None
    )


def held_update(session: Session, job_id: str, fence: int, **values: object) -> None:
    if update(session, _held(job_id, fence).values(**values)) != 1:
        raise FenceLost(f"job {job_id} was claimed by another worker")


def _held(job_id: str, fence: int) -> sa.Update:
    return sa.update(JobRow).where(JobRow.id == job_id, JobRow.fence == fence, JobRow.status == JobStatus.RUNNING)


def expired(session: Session, now: datetime, limit: int = 500) -> list[Job]:
    """Jobs whose worker fell silent."""
    query = sa.select(JobRow).where(JobRow.status == JobStatus.RUNNING, JobRow.lease_until < now).limit(limit)
    return [job_of(row) for row in session.scalars(query)]


def requeue(session: Session, job: Job, now: datetime) -> bool:
    """Give an orphaned job back to the queue; False where somebody else did, or its worker came back."""
    values: dict[str, object] = {
        "status": JobStatus.QUEUED,
        "stage": None,
        "lease_until": None,
        "sent_at": now,
        "not_before": None,
    }
    return _end_lease(session, job, now, values)


def fail_orphan(session: Session, job: Job, error: str, now: datetime) -> bool:
    """End a job that too many workers died over; False where somebody else did."""
    values: dict[str, object] = {
        "status": JobStatus.FAILED,
        "stage": None,
        "error": error,
        "finished_at": now,
        "lease_until": None,
    }
    return _end_lease(session, job, now, values)


def _end_lease(session: Session, job: Job, now: datetime, values: dict[str, object]) -> bool:
    orphaned = _held(job.id, job.fence).where(JobRow.lease_until < now)
    # The fence grows here too: a worker that wakes up now must find that the job is not its own any more.
    return update(session, orphaned.values(**values, fence=JobRow.fence + 1)) == 1


def unsent(session: Session, priority: str, *, sent_before: datetime, now: datetime, limit: int = 500) -> list[str]:
    """Ids of due jobs that were last handed to the broker before a time, oldest first."""
    query = (
        sa.select(JobRow.id)
        .where(
            JobRow.status == JobStatus.QUEUED,
            JobRow.priority == priority,
            sa.or_(JobRow.not_before.is_(None), JobRow.not_before <= now),
            sa.or_(JobRow.sent_at.is_(None), JobRow.sent_at < sent_before),
        )
        .order_by(JobRow.created_at)
        .limit(limit)
    )
    return list(session.scalars(query))


def mark_sent(session: Session, job_id: str, *, sent_before: datetime, now: datetime) -> bool:
    """Take the right to send a queued job again; of several dispatchers one gets it."""
    query = sa.update(JobRow).where(
        JobRow.id == job_id,
        JobRow.status == JobStatus.QUEUED,
        sa.or_(JobRow.sent_at.is_(None), JobRow.sent_at < sent_before),
    )
    return update(session, query.values(sent_at=now)) == 1


def update(session: Session, statement: sa.Update) -> int:
    changed = change_rows(session, statement)
    session.expire_all()
    return changed
