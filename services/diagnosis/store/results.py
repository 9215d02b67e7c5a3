"""Results before and after their release, and what clinicians made of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis.domain import Feedback, Job, StoredResult
from services.diagnosis.rows import FeedbackRow, ResultRow
from services.diagnosis.store.leases import held_update
from shared.contracts.audit import AuditEvent, Sequenced
from shared.contracts.diagnosis import DiagnosisResult, JobStatus


def standing_result(session: Session, job_id: str) -> StoredResult | None:
    """The job's result, released or not, unless a withdrawn consent voided it."""
    query = sa.select(ResultRow).where(
        ResultRow.job_id == job_id, ResultRow.withheld_at.is_(None), ResultRow.body != ""
    )
    row = session.scalars(query).one_or_none()
    return _result(row) if row is not None else None


def released_results(session: Session, job_ids: Sequence[str]) -> dict[str, StoredResult]:
    """The released result of each of these jobs that has one."""
    query = sa.select(ResultRow).where(
        ResultRow.job_id.in_(job_ids), ResultRow.released_at.is_not(None), ResultRow.body != ""
    )
    return {row.job_id: _result(row) for row in session.scalars(query)}


def add_result(session: Session, fence: int, result: StoredResult, now: datetime) -> None:
    """Keep a computed result with the event that will announce it, not yet released. Raises: FenceLost."""
    held_update(session, result.job_id, fence, stage="record")
    session.add(
        ResultRow(
            id=result.id,
            job_id=result.job_id,
            manifest_digest=result.manifest_digest,
            bundle_digest=result.bundle_digest,
            stage=result.stage,
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
    held_update(session, job.id, job.fence, status=status, stage=None, finished_at=now, lease_until=None)
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
    held_update(session, job.id, job.fence, stage="withheld")
    session.execute(sa.update(ResultRow).where(ResultRow.id == result.id).values(withheld_at=now))


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


def feedback_on(session: Session, job_ids: Sequence[str]) -> list[Feedback]:
    """What clinicians said of these diagnoses, oldest first."""
    query = sa.select(FeedbackRow).where(FeedbackRow.job_id.in_(job_ids)).order_by(FeedbackRow.created_at)
    return [
        Feedback(row.id, row.job_id, row.action, row.code, row.text, row.author, row.created_at)
        for row in session.scalars(query)
    ]


def _result(row: ResultRow) -> StoredResult:
    return StoredResult(
        id=row.id,
        job_id=row.job_id,
        manifest_digest=row.manifest_digest,
        bundle_digest=row.bundle_digest,
        stage=row.stage,
        body=DiagnosisResult.model_validate_json(row.body),
        event=AuditEvent.model_validate_json(row.event),
        consent_epoch=row.consent_epoch,
        heatmaps=dict(row.heatmaps),
        leaf_index=row.leaf_index,
        leaf_hash=row.leaf_hash,
        total_ms=row.total_ms,
    )
