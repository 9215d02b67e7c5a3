"""The tables of the diagnosis service."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import DeclarativeBase, UtcDateTime, new_metadata
from shared.erasure import ErasureMixin
from shared.outbox import OutboxCounterMixin, OutboxMixin


class Base(DeclarativeBase):
    metadata = new_metadata()


class JobRow(Base):
    """One diagnosis asked for. `status`, `fence` and `lease_until` decide who may work on it; the broker only hints."""

    __tablename__ = "job"
    __table_args__ = (
        sa.UniqueConstraint(
            "requester_issuer", "requester_subject", "idempotency_key", name="uq_job_requester_idempotency_key"
        ),
        sa.CheckConstraint("status IN ('queued', 'running', 'succeeded', 'abstained', 'failed')", name="status"),
        sa.CheckConstraint("priority IN ('stat', 'routine')", name="priority"),
        sa.Index("ix_job_status_priority", "status", "priority", "created_at"),
        sa.Index("ix_job_patient", "patient", "id"),
        sa.Index("ix_job_subject_ref", "subject_ref", "id"),
        sa.Index("ix_job_unchecked", "checked_at", "finished_at"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    patient: Mapped[str] = mapped_column(sa.String(64))
    """The pseudonym, once the patient was erased."""
    subject_ref: Mapped[str | None] = mapped_column(sa.String(64))
    """The patient's pseudonym, as the log names them; None in jobs from before 2026-12."""
    status: Mapped[str] = mapped_column(sa.String(16))
    priority: Mapped[str] = mapped_column(sa.String(16))
    stage: Mapped[str | None] = mapped_column(sa.String(32))
    error: Mapped[str | None] = mapped_column(sa.Text)
    manifest_digest: Mapped[str] = mapped_column(sa.ForeignKey("manifest.digest"))
    as_of: Mapped[datetime] = mapped_column(UtcDateTime)
    idempotency_key: Mapped[str | None] = mapped_column(sa.String(255))
    request_digest: Mapped[str] = mapped_column(sa.String(71))
    requester_issuer: Mapped[str] = mapped_column(sa.String(255))
    requester_subject: Mapped[str] = mapped_column(sa.String(255))
    requester_role: Mapped[str] = mapped_column(sa.String(32))
    requester_client_id: Mapped[str | None] = mapped_column(sa.String(255))
    requester_jti: Mapped[str] = mapped_column(sa.String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its id was last handed to the broker; None: due now."""
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its evidence was first compared with what is known, after it was finished."""
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str | None] = mapped_column(sa.String(36))
    fence: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    deferrals: Mapped[int] = mapped_column(default=0)
    waits_for: Mapped[str | None] = mapped_column(sa.String(500))
    """Why it was put off last; says something while the job is queued until `not_before`."""
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the patient was erased: that it was asked for, by whom and when, stays, and nothing of the case."""


class ManifestRow(Base):
    """A frozen case; its content is the blob of the same digest."""

    __tablename__ = "manifest"

    digest: Mapped[str] = mapped_column(sa.String(71), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ResultRow(Base):
    """What a worker computed. It is shown only when `released_at` is set, and set only after its event stands
    in the log.
    """

    __tablename__ = "result"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "manifest_digest", "bundle_digest", name="uq_result_job_manifest_bundle"),
        # A withdrawn consent may void a result before its release; of the others a job has one at most.
        sa.Index(
            "uq_result_job_standing",
            "job_id",
            unique=True,
            sqlite_where=sa.text("withheld_at IS NULL"),
            postgresql_where=sa.text("withheld_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("job.id"))
    manifest_digest: Mapped[str] = mapped_column(sa.ForeignKey("manifest.digest"))
    bundle_digest: Mapped[str] = mapped_column(sa.String(71))
    stage: Mapped[str | None] = mapped_column(sa.String(16))
    body: Mapped[str] = mapped_column(sa.Text)
    """Empty once the patient was erased, and so is the event."""
    event: Mapped[str] = mapped_column(sa.Text)
    consent_epoch: Mapped[int | None] = mapped_column(sa.BigInteger)
    heatmaps: Mapped[dict[str, str]] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withheld_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leaf_index: Mapped[int | None] = mapped_column(sa.BigInteger)
    leaf_hash: Mapped[str | None] = mapped_column(sa.String(64))
    total_ms: Mapped[float | None] = mapped_column(sa.Float)


class ShadowResultRow(Base):
    """What a bundle in the shadow said of a case whose result was released; nobody is shown it."""

    __tablename__ = "shadow_result"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "manifest_digest", "bundle_digest", name="uq_shadow_result_job_manifest_bundle"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("job.id"))
    manifest_digest: Mapped[str] = mapped_column(sa.ForeignKey("manifest.digest"))
    bundle_digest: Mapped[str] = mapped_column(sa.String(71))
    body: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class FeedbackRow(Base):
    """What a clinician made of a result."""

    __tablename__ = "feedback"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("job.id"), index=True)
    action: Mapped[str] = mapped_column(sa.String(16))
    code: Mapped[str | None] = mapped_column(sa.String(64))
    text: Mapped[str | None] = mapped_column(sa.Text)
    author: Mapped[str] = mapped_column(sa.String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class WorkerRow(Base):
    """A worker with a loaded bundle, and when it was last heard of."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    bundle_digest: Mapped[str] = mapped_column(sa.String(71))
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    forgotten: Mapped[int | None]
    """How many erasures there were when it last forgot all that it kept in memory."""


class QuestionRow(Base):
    """A question that someone waits for: the broker carries its id, this row its words and its answer.

    It is deleted when it is answered or when nobody waits any more; what may be patient data stays for seconds.
    """

    __tablename__ = "question"

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    job_id: Mapped[str | None] = mapped_column(sa.ForeignKey("job.id"))
    body: Mapped[str] = mapped_column(sa.Text)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    answer: Mapped[str | None] = mapped_column(sa.Text)
    refusal: Mapped[str | None] = mapped_column(sa.Text)
    """Why there is no answer; holds no patient data."""


class OutdatedRow(Base):
    """A diagnosis whose evidence is no longer what would be used at its time."""

    __tablename__ = "outdated"

    job_id: Mapped[str] = mapped_column(sa.ForeignKey("job.id"), primary_key=True)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changes: Mapped[list[dict[str, str]]] = mapped_column(sa.JSON)


class FollowedRow(Base):
    """Up to where the log was read for evidence that came late; one row."""

    __tablename__ = "followed"
    __table_args__ = (sa.CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    next_index: Mapped[int] = mapped_column(sa.BigInteger)


class ConsentFenceRow(Base):
    """The newest epoch of a patient's consents that the audit service has told of: a result is released only on a
    decision of this epoch or a later one."""

    __tablename__ = "consent_fence"

    subject_ref: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    epoch: Mapped[int] = mapped_column(sa.BigInteger)


class ErasureRow(ErasureMixin, Base):
    """Patients who were erased, by pseudonym."""


class OutboxRow(OutboxMixin, Base):
    """Audit events on their way to the log."""


class ReplayNightRow(Base):
    """A night whose sample of diagnoses was computed again, or is being."""

    __tablename__ = "replay_night"

    night: Mapped[date] = mapped_column(primary_key=True)


class OutboxCounterRow(OutboxCounterMixin, Base):
    """The number that an audit event was given last."""
