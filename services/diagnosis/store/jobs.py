"""Jobs and manifests as they are asked for and read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.domain import Job, Order
from services.diagnosis.errors import ErasedDiagnosis, UnknownDiagnosis
from services.diagnosis.rows import JobRow, ManifestRow
from services.diagnosis.snapshot import Manifest
from shared.auth import Principal, Role
from shared.contracts.diagnosis import JobStatus
from shared.database import insert_into


def add_manifest(session: Session, digest: str, now: datetime) -> None:
    """Note that a manifest is frozen; the same case frozen twice is one manifest."""
    if session.get(ManifestRow, digest) is None:
        new = insert_into(session, ManifestRow).values(digest=digest, created_at=now)
        session.execute(new.on_conflict_do_nothing())


def add_job(session: Session, job_id: str, order: Order, digest: str, manifest: Manifest, now: datetime) -> Job:
    """Queue a job. Raises: sqlalchemy.exc.IntegrityError: this requester's key is taken."""
    row = JobRow(
        id=job_id,
        patient=order.patient,
        subject_ref=manifest.subject,
        status=JobStatus.QUEUED,
        priority=order.priority,
        manifest_digest=digest,
        as_of=manifest.as_of,
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
    return job_of(row)


def find_job(session: Session, job_id: str) -> Job | None:
    """One job."""
    row = session.get(JobRow, job_id)
    return job_of(row) if row is not None else None


def get_job(session: Session, job_id: str) -> Job:
    """One job. Raises: UnknownDiagnosis, ErasedDiagnosis."""
    job = find_job(session, job_id)
    if job is None:
        raise UnknownDiagnosis("There is no diagnosis with this id.")
    if job.erased_at is not None:
        raise ErasedDiagnosis("The patient of this diagnosis was erased; the log keeps that it was made.")
    return job


def lock_job(session: Session, job_id: str) -> None:
    """Until the transaction ends, the job is not erased; SQLite has one writer at a time anyway."""
    session.execute(sa.select(JobRow.id).where(JobRow.id == job_id).with_for_update(read=True))


def find_by_key(session: Session, requester: Principal, key: str) -> Job | None:
    """The job that this requester asked for with this Idempotency-Key."""
    query = sa.select(JobRow).where(
        JobRow.requester_issuer == requester.issuer,
        JobRow.requester_subject == requester.subject,
        JobRow.idempotency_key == key,
    )
    row = session.scalars(query).one_or_none()
    return job_of(row) if row is not None else None


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
    query = sa.select(JobRow).where(JobRow.erased_at.is_(None)).order_by(JobRow.id.desc()).limit(limit)
    if patient is not None:
        query = query.where(JobRow.patient == patient)
    if ids is not None:
        query = query.where(JobRow.id.in_(ids))
    if statuses:
        query = query.where(JobRow.status.in_(statuses))
    if before is not None:
        query = query.where(JobRow.id < before)
    return [job_of(row) for row in session.scalars(query)]


def job_of(row: JobRow) -> Job:
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
        not_before=row.not_before,
        waits_for=row.waits_for,
        erased_at=row.erased_at,
    )
