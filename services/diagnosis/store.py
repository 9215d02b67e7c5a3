"""Every query on jobs, manifests, results and feedback. Claims, leases and fences live here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from services.diagnosis.domain import Feedback, Job, Order, StoredResult
from services.diagnosis.errors import FenceLost, UnknownDiagnosis
from services.diagnosis.rows import FeedbackRow, JobRow, ManifestRow, ResultRow, WorkerRow
from shared.auth import Principal, Role
from shared.contracts.audit import AuditEvent, Sequenced
from shared.contracts.diagnosis import DiagnosisResult, JobStatus

# --- asking and reading -------------------------------------------------------------------------------------------


def add_manifest(session: Session, digest: str, now: datetime) -> None:
    """Note that a manifest is frozen; the same case frozen twice is one manifest."""
    if session.get(ManifestRow, digest) is None:
        _insert_ignore(session, {"digest": digest, "created_at": now})


def _insert_ignore(session: Session, values: dict[str, object]) -> None:
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]  # same shape, other dialect
    session.execute(insert(ManifestRow).values(**values).on_conflict_do_nothing())


def add_job(session: Session, job_id: str, order: Order, manifest_digest: str, as_of: datetime, now: datetime) -> Job:
    """Queue a job. Raises: sqlalchemy.exc.IntegrityError: this requester's key is taken."""
    row = JobRow(
        id=job_id,
        patient=order.patient,
        status=JobStatus.QUEUED,
        priority=order.priority,
        manifest_digest=manifest_digest,
        as_of=as_of,
        idempotency_key=order.key,
        request_digest=order.digest,
        requester_issuer=order.requester.issuer,
        requester_subject=order.requester.subject,
        requester_role=order.requester.role,
        requester_client_id=order.requester.client_id,
        requester_jti=order.requester.jti,
        created_at=now,
        sent_at=now,
        fence=0,
        attempts=0,
        deferrals=0,
    )
    session.add(row)
    session.flush()
    return _job(row)


def find_job(session: Session, job_id: str) -> Job | None:
    """One job."""
    row = session.get(JobRow, job_id)
    return _job(row) if row is not None else None


def get_job(session: Session, job_id: str) -> Job:
    """One job. Raises: UnknownDiagnosis."""
    job = find_job(session, job_id)
    if job is None:
        raise UnknownDiagnosis("There is no diagnosis with this id.")
    return job


def find_by_key(session: Session, requester: Principal, key: str) -> Job | None:
    """The job that this requester asked for with this Idempotency-Key."""
    query = sa.select(JobRow).where(
        JobRow.requester_issuer == requester.issuer,
        JobRow.requester_subject == requester.subject,
        JobRow.idempotency_key == key,
    )
    row = session.scalars(query).one_or_none()
    return _job(row) if row is not None else None


def list_jobs(
    session: Session,
    *,
    patient: str | None = None,
    ids: Sequence[str] | None = None,
    statuses: Sequence[JobStatus] = (),
    before: str | None = None,
    limit: int,
) -> list[Job]:
    """Jobs, newest first (ids are UUIDv7 and sort by time); `before` is the last id of the page before."""
    query = sa.select(JobRow).order_by(JobRow.id.desc()).limit(limit)
    if patient is not None:
        query = query.where(JobRow.patient == patient)
    if ids is not None:
        query = query.where(JobRow.id.in_(ids))
    if statuses:
        query = query.where(JobRow.status.in_(statuses))
    if before is not None:
        query = query.where(JobRow.id < before)
    return [_job(row) for row in session.scalars(query)]


def released_results(session: Session, job_ids: Sequence[str]) -> dict[str, StoredResult]:
    """The released result of each of these jobs that has one."""
    query = sa.select(ResultRow).where(ResultRow.job_id.in_(job_ids), ResultRow.released_at.is_not(None))
    return {row.job_id: _result(row) for row in session.scalars(query)}


def add_feedback(session: Session, feedback: Feedback) -> None:
    """Keep what a clinician said."""
    session.add(
        FeedbackRow(
            id=feedback.id,
            job_id=feedback.job_id,
            action=feedback.action,
            code=feedback.code,
            text=feedback.text,
            author=feedback.author,
            created_at=feedback.created_at,
        )
    )
    session.flush()


# --- working ------------------------------------------------------------------------------------------------------


def claim(
    session: Session, job_id: str, worker: str, *, now: datetime, lease_s: float, max_attempts: int
) -> Job | None:
    """Take a job that is due, or whose worker fell silent; None where there is nothing to take.

    The fence grows in the same statement, so that of two claims at once one waits, looks again and gets nothing.
    """
    due = sa.and_(JobRow.status == JobStatus.QUEUED, sa.or_(JobRow.not_before.is_(None), JobRow.not_before <= now))
    orphaned = sa.and_(JobRow.status == JobStatus.RUNNING, JobRow.lease_until < now)
    taken = _update(
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
        ),
    )
    return find_job(session, job_id) if taken else None


def renew(session: Session, job_id: str, fence: int, *, now: datetime, lease_s: float, stage: str | None) -> bool:
    """Keep a job for another lease; False where it is no longer ours."""
    values: dict[str, object] = {"lease_until": now + timedelta(seconds=lease_s)}
    if stage is not None:
        values["stage"] = stage
    return _update(session, _held(job_id, fence).values(**values)) == 1


def repoint(session: Session, job_id: str, fence: int, manifest_digest: str) -> None:
    """From now on the job is about another manifest. Raises: FenceLost."""
    _held_update(session, job_id, fence, manifest_digest=manifest_digest)


def defer(session: Session, job_id: str, fence: int, *, until: datetime) -> None:
    """Put a job back because a neighbour does not answer; that is no attempt. Raises: FenceLost."""
    _held_update(
        session,
        job_id,
        fence,
        status=JobStatus.QUEUED,
        stage="waiting",
        not_before=until,
        sent_at=None,
        lease_until=None,
        attempts=JobRow.attempts - 1,
        deferrals=JobRow.deferrals + 1,
    )


def fail(session: Session, job_id: str, fence: int, error: str, now: datetime) -> None:
    """End a job without a result. Raises: FenceLost."""
    _held_update(
        session, job_id, fence, status=JobStatus.FAILED, stage=None, error=error, finished_at=now, lease_until=None
    )


def standing_result(session: Session, job_id: str) -> StoredResult | None:
    """The job's result, released or not, unless a withdrawn consent voided it."""
    query = sa.select(ResultRow).where(ResultRow.job_id == job_id, ResultRow.withheld_at.is_(None))
    row = session.scalars(query).one_or_none()
    return _result(row) if row is not None else None


def add_result(session: Session, fence: int, result: StoredResult, now: datetime) -> None:
    """Keep a computed result with the event that will announce it, not yet released. Raises: FenceLost."""
    _held_update(session, result.job_id, fence, stage="record")
    session.add(
        ResultRow(
            id=result.id,
            job_id=result.job_id,
            manifest_digest=result.manifest_digest,
            bundle_digest=result.bundle_digest,
            body=result.body.model_dump_json(by_alias=True),
            event=result.event.model_dump_json(by_alias=True),
            consent_epoch=result.consent_epoch,
            heatmaps=result.heatmaps,
            created_at=now,
        )
    )
    session.flush()


def release(session: Session, job: Job, result: StoredResult, entry: Sequenced, now: datetime) -> None:
    """Show a result whose event stands in the log. Raises: FenceLost."""
    status = JobStatus.ABSTAINED if result.body.abstained else JobStatus.SUCCEEDED
    _held_update(session, job.id, job.fence, status=status, stage=None, finished_at=now, lease_until=None)
    session.execute(
        sa.update(ResultRow)
        .where(ResultRow.id == result.id)
        .values(
            released_at=now,
            leaf_index=entry.index,
            leaf_hash=entry.leaf_hash,
            total_ms=(now - job.created_at).total_seconds() * 1000,
        )
    )


def withhold(session: Session, job: Job, result: StoredResult, now: datetime) -> None:
    """Void a result that was never shown: its consent was withdrawn. Raises: FenceLost."""
    _held_update(session, job.id, job.fence, stage="withheld")
    session.execute(sa.update(ResultRow).where(ResultRow.id == result.id).values(withheld_at=now))


# --- dispatching --------------------------------------------------------------------------------------------------


def expired(session: Session, now: datetime, limit: int = 500) -> list[Job]:
    """Jobs whose worker fell silent."""
    query = sa.select(JobRow).where(JobRow.status == JobStatus.RUNNING, JobRow.lease_until < now).limit(limit)
    return [_job(row) for row in session.scalars(query)]


def requeue(session: Session, job: Job, now: datetime) -> bool:
    """Give an orphaned job back to the queue; False where somebody else did, or its worker came back."""
    orphaned = sa.update(JobRow).where(
        JobRow.id == job.id,
        JobRow.fence == job.fence,
        JobRow.status == JobStatus.RUNNING,
        JobRow.lease_until < now,
    )
    # The fence grows here too: a worker that wakes up now must find that the job is not its own any more.
    values = {"status": JobStatus.QUEUED, "stage": None, "lease_until": None, "sent_at": now, "not_before": None}
    return _update(session, orphaned.values(**values, fence=JobRow.fence + 1)) == 1


def fail_orphan(session: Session, job: Job, error: str, now: datetime) -> bool:
    """End a job that too many workers died over; False where somebody else did."""
    orphaned = sa.update(JobRow).where(
        JobRow.id == job.id,
        JobRow.fence == job.fence,
        JobRow.status == JobStatus.RUNNING,
        JobRow.lease_until < now,
    )
    values = {"status": JobStatus.FAILED, "stage": None, "error": error, "finished_at": now, "lease_until": None}
    return _update(session, orphaned.values(**values, fence=JobRow.fence + 1)) == 1


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
    return _update(session, query.values(sent_at=now)) == 1


def worker_seen(session: Session, worker: str, bundle_digest: str, now: datetime) -> None:
    """A worker says that it is there; workers unheard of for a day are forgotten."""
    if not _update(session, sa.update(WorkerRow).where(WorkerRow.id == worker).values(seen_at=now)):
        session.execute(sa.delete(WorkerRow).where(WorkerRow.seen_at < now - timedelta(days=1)))
        session.add(WorkerRow(id=worker, bundle_digest=bundle_digest, seen_at=now))
        session.flush()


def forget_worker(session: Session, worker: str) -> None:
    """A worker says goodbye."""
    session.execute(sa.delete(WorkerRow).where(WorkerRow.id == worker))


def workers_since(session: Session, moment: datetime) -> int:
    """How many workers were heard of since a time."""
    return session.scalar(sa.select(sa.func.count()).select_from(WorkerRow).where(WorkerRow.seen_at >= moment)) or 0


# --- inside -------------------------------------------------------------------------------------------------------


def _held(job_id: str, fence: int) -> sa.Update:
    return sa.update(JobRow).where(JobRow.id == job_id, JobRow.fence == fence, JobRow.status == JobStatus.RUNNING)


def _held_update(session: Session, job_id: str, fence: int, **values: object) -> None:
    if _update(session, _held(job_id, fence).values(**values)) != 1:
        raise FenceLost(f"job {job_id} was claimed by another worker")


def _update(session: Session, statement: sa.Update) -> int:
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)  # noqa: S101 - tells mypy what an UPDATE gives
    session.expire_all()
    return result.rowcount


def _job(row: JobRow) -> Job:
    return Job(
        id=row.id,
        patient=row.patient,
        status=JobStatus(row.status),
        priority=row.priority,
        stage=row.stage,
        error=row.error,
        manifest_digest=row.manifest_digest,
        as_of=row.as_of,
        requester=Principal(
            issuer=row.requester_issuer,
            subject=row.requester_subject,
            role=Role(row.requester_role),
            tenant="",
            client_id=row.requester_client_id,
            jti=row.requester_jti,
        ),
        request_digest=row.request_digest,
        created_at=row.created_at,
        claimed_at=row.claimed_at,
        finished_at=row.finished_at,
        fence=row.fence,
        attempts=row.attempts,
        deferrals=row.deferrals,
    )


def _result(row: ResultRow) -> StoredResult:
    return StoredResult(
        id=row.id,
        job_id=row.job_id,
        manifest_digest=row.manifest_digest,
        bundle_digest=row.bundle_digest,
        body=DiagnosisResult.model_validate_json(row.body),
        event=AuditEvent.model_validate_json(row.event),
        consent_epoch=row.consent_epoch,
        heatmaps=dict(row.heatmaps),
        leaf_index=row.leaf_index,
        leaf_hash=row.leaf_hash,
        total_ms=row.total_ms,
    )
