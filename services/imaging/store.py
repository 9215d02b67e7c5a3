"""Rows of the imaging service and every query on them. Functions take and give domain types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from services.imaging.dicom.syntaxes import RADIOGRAPHS
from services.imaging.domain import CANNOT_BE_SHOWN, InstanceKey, Known, Prepared
from shared.database import UtcDateTime, insert_into, new_metadata
from shared.erasure import ErasureMixin
from shared.outbox import OutboxCounterMixin, OutboxMixin


class Base(DeclarativeBase):
    """All tables of the imaging service."""

    metadata = new_metadata()


class OutboxRow(OutboxMixin, Base):
    """Audit events on their way."""


class OutboxCounterRow(OutboxCounterMixin, Base):
    """The number that an audit event was given last."""


class ErasureRow(ErasureMixin, Base):
    """Patients who were erased, by pseudonym."""


class OwnerRow(Base):
    """Which patient a study or series belongs to: that of its first instance; one of another patient is refused."""

    __tablename__ = "owner"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    uid: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    patient: Mapped[str] = mapped_column(sa.String(64))


class InstanceRow(Base):
    """One stored instance. It is written once; only its rendering is added, when somebody asks for it."""

    __tablename__ = "instance"
    __table_args__ = (
        sa.UniqueConstraint(
            "tenant", "study_instance_uid", "series_instance_uid", "sop_instance_uid", name="uq_instance_key"
        ),
        sa.Index("ix_instance_patient", "tenant", "patient", "effective_at"),
        sa.Index("ix_instance_sop", "tenant", "sop_instance_uid"),
        sa.Index("ix_instance_study_date", "tenant", "study_date"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    study_instance_uid: Mapped[str] = mapped_column(sa.String(64))
    series_instance_uid: Mapped[str] = mapped_column(sa.String(64))
    sop_instance_uid: Mapped[str] = mapped_column(sa.String(64))
    patient: Mapped[str] = mapped_column(sa.String(64))
    patient_name: Mapped[str] = mapped_column(sa.String(330))
    patient_sex: Mapped[str | None] = mapped_column(sa.String(1))
    patient_age_years: Mapped[float | None] = mapped_column(sa.Float)
    sop_class_uid: Mapped[str] = mapped_column(sa.String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(sa.String(64))
    modality: Mapped[str] = mapped_column(sa.String(16))
    study_date: Mapped[str] = mapped_column(sa.String(8))
    accession_number: Mapped[str] = mapped_column(sa.String(64))
    study_description: Mapped[str | None] = mapped_column(sa.String(64))
    body_part_examined: Mapped[str | None] = mapped_column(sa.String(64))
    view_position: Mapped[str | None] = mapped_column(sa.String(64))
    rows: Mapped[int]
    columns: Mapped[int]
    digest: Mapped[str] = mapped_column(sa.String(80))
    dataset_digest: Mapped[str] = mapped_column(sa.String(80))
    renderable: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    """Whether the networks can see it."""
    rendered_digest: Mapped[str | None] = mapped_column(sa.String(80))
    """Content address of the 16-bit PNG that the networks see, once it was asked for."""
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    effective_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    quality: Mapped[str] = mapped_column(sa.Text)
    header: Mapped[str] = mapped_column(sa.Text)

    def quality_json(self) -> dict[str, Any]:
        """What was found at ingest."""
        found: dict[str, Any] = json.loads(self.quality)
        return found

    def header_json(self) -> dict[str, Any]:
        """The data set in the DICOM JSON model, without bulk data."""
        model: dict[str, Any] = json.loads(self.header)
        return model


class ReviewRow(Base):
    """Whether an instance may leave for research (`review_queue`). It holds where text was found, never the text."""

    __tablename__ = "review"
    __table_args__ = (sa.Index("ix_review_state", "tenant", "state", "examined_at"),)

    instance_id: Mapped[str] = mapped_column(sa.ForeignKey("instance.id"), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str] = mapped_column(sa.String(32))
    regions: Mapped[str] = mapped_column(sa.Text)
    examined_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class QualityRow(Base):
    """What the quality gate found of an image, kept when it was first asked for."""

    __tablename__ = "quality"

    instance_id: Mapped[str] = mapped_column(sa.ForeignKey("instance.id"), primary_key=True)
    version: Mapped[int]
    """Of the gate: the findings of an older one are found anew."""
    findings: Mapped[str] = mapped_column(sa.Text)


class CommitmentRow(Base):
    """A request for storage commitment (`commitment_queue`). Reported ones stay: their transaction UIDs are taken."""

    __tablename__ = "commitment"
    __table_args__ = (
        sa.UniqueConstraint("tenant", "ae_title", "transaction_uid", name="uq_commitment_transaction"),
        sa.Index("ix_commitment_due_at", "due_at"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    ae_title: Mapped[str] = mapped_column(sa.String(16))
    transaction_uid: Mapped[str] = mapped_column(sa.String(64))
    instances: Mapped[str] = mapped_column(sa.Text)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int]
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When to report it; later while a process is at it; None once it is reported or given up."""
    reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


_KEY = ("tenant", "study_instance_uid", "series_instance_uid", "sop_instance_uid")
# Asked of every instance that comes in: built once, and of columns, because the unit of work takes as long as the
# database does. Without the header, which is long.
_INSTANCES, _OWNED = InstanceRow.__table__.c, OwnerRow.__table__.c
_KNOWN = sa.select(
    _INSTANCES.id, _INSTANCES.digest, _INSTANCES.dataset_digest, _INSTANCES.patient, _INSTANCES.quality
).where(*(_INSTANCES[name] == sa.bindparam(name) for name in _KEY))
_OWNERS = sa.select(_OWNED.patient).where(
    _OWNED.tenant == sa.bindparam("tenant"), _OWNED.uid.in_(sa.bindparam("uids", expanding=True))
)


def find_known(session: Session, tenant: str, key: InstanceKey) -> Known | None:
    """What is stored under this key."""
    row = session.execute(_KNOWN, {"tenant": tenant, **asdict(key)}).one_or_none()
    return None if row is None else Known(*row[:4], json.loads(row.quality).get(CANNOT_BE_SHOWN))


def add_instance(session: Session, tenant: str, id_: str, prepared: Prepared) -> bool:
    """Store a new instance; False when another transaction stored this key first."""
    unless_known = insert_into(session, InstanceRow).on_conflict_do_nothing(index_elements=_KEY)
    return session.scalar(unless_known.returning(InstanceRow.id), _row(tenant, id_, prepared)) is not None


def _row(tenant: str, id_: str, prepared: Prepared) -> dict[str, Any]:
    said = prepared.description
    return {
        "id": id_,
        "tenant": tenant,
        "study_instance_uid": said.key.study_instance_uid,
        "series_instance_uid": said.key.series_instance_uid,
        "sop_instance_uid": said.key.sop_instance_uid,
        "patient": said.patient,
        "patient_name": said.patient_name[:330],
        "patient_sex": said.patient_sex,
        "patient_age_years": said.patient_age_years,
        "sop_class_uid": said.sop_class_uid,
        "transfer_syntax_uid": said.transfer_syntax_uid,
        "modality": said.modality[:16],
        "study_date": said.study_date[:8],
        "accession_number": said.accession_number[:64],
        "study_description": said.study_description,
        "body_part_examined": said.body_part_examined,
        "view_position": said.view_position,
        "rows": said.rows,
        "columns": said.columns,
        "digest": prepared.digest,
        "dataset_digest": prepared.dataset_digest,
        "renderable": prepared.renderable,
        "size_bytes": prepared.size_bytes,
        "effective_at": said.effective_at,
        "received_at": prepared.received_at,
        "quality": json.dumps(said.quality),
        "header": json.dumps(said.header),
    }


def find_owners(session: Session, tenant: str, key: InstanceKey) -> set[str]:
    """The patients to whom a study and its series belong, as far as any do."""
    return set(session.scalars(_OWNERS, {"tenant": tenant, "uids": _owned(key)}))


def _owned(key: InstanceKey) -> tuple[str, ...]:
    return tuple(dict.fromkeys((key.study_instance_uid, key.series_instance_uid)))


def claim(session: Session, tenant: str, key: InstanceKey, patient: str) -> set[str]:
    """The patients to whom a study and its series belong; `patient` becomes that where nobody was."""
    rows = [{"tenant": tenant, "uid": uid, "patient": patient} for uid in _owned(key)]
    new = insert_into(session, OwnerRow).on_conflict_do_nothing(index_elements=["tenant", "uid"])
    claimed = [session.scalar(new.returning(OwnerRow.uid), row) for row in rows]
    return {patient} if all(claimed) else find_owners(session, tenant, key)


def find_instances(
    session: Session,
    tenant: str,
    study_instance_uid: str,
    series_instance_uid: str | None = None,
    sop_instance_uid: str | None = None,
) -> Sequence[InstanceRow]:
    """The instances of a study, of one of its series, or one instance, in the order of their receipt."""
    query = sa.select(InstanceRow).where(
        InstanceRow.tenant == tenant, InstanceRow.study_instance_uid == study_instance_uid
    )
    if series_instance_uid is not None:
        query = query.where(InstanceRow.series_instance_uid == series_instance_uid)
    if sop_instance_uid is not None:
        query = query.where(InstanceRow.sop_instance_uid == sop_instance_uid)
    return session.scalars(query.order_by(InstanceRow.received_at, InstanceRow.id)).all()


def find_by_sop_instance(session: Session, tenant: str, sop_instance_uid: str) -> Sequence[InstanceRow]:
    """All instances with this SOP instance UID: some senders reuse it across series."""
    query = sa.select(InstanceRow).where(InstanceRow.tenant == tenant, InstanceRow.sop_instance_uid == sop_instance_uid)
    return session.scalars(query).all()


def knows_patient(session: Session, tenant: str, patient: str) -> bool:
    """Whether any instance of this patient was ever stored."""
    query = sa.select(InstanceRow.id).where(InstanceRow.tenant == tenant, InstanceRow.patient == patient).limit(1)
    return session.scalar(query) is not None


def find_evidence(session: Session, tenant: str, patient: str, as_of: datetime | None) -> Sequence[InstanceRow]:
    """A patient's radiographs of which there is an image, true at or before `as_of`, newest first."""
    query = sa.select(InstanceRow).where(
        InstanceRow.tenant == tenant,
        InstanceRow.patient == patient,
        InstanceRow.sop_class_uid.in_(RADIOGRAPHS),
        # A process of an older version, which may still run during an upgrade, renders at once and says no more.
        sa.or_(InstanceRow.renderable, InstanceRow.rendered_digest.is_not(None)),
    )
    if as_of is not None:
        query = query.where(InstanceRow.effective_at <= as_of)
    return session.scalars(query.order_by(InstanceRow.effective_at.desc(), InstanceRow.id.desc())).all()


def keep_rendering(session: Session, instance_id: str, digest: str) -> None:
    """Keep the content address of an image's rendering. Two who render it at once make the same."""
    session.execute(sa.update(InstanceRow).where(InstanceRow.id == instance_id).values(rendered_digest=digest))


def find_quality(session: Session, instance_id: str, version: int) -> list[dict[str, Any]] | None:
    """The findings that are kept of an image; None where none are, or those of another version of the gate."""
    row = session.get(QualityRow, instance_id)
    if row is None or row.version != version:
        return None
    found: list[dict[str, Any]] = json.loads(row.findings)
    return found


def keep_quality(session: Session, instance_id: str, version: int, findings: Sequence[dict[str, Any]]) -> None:
    """Keep the findings of an image. Two who find them at once find the same."""
    try:
        with session.begin_nested():
            session.merge(QualityRow(instance_id=instance_id, version=version, findings=json.dumps(list(findings))))
    except IntegrityError:
        return


def find_by_id(session: Session, tenant: str, id_: str) -> InstanceRow | None:
    """The instance with our own id."""
    row = session.get(InstanceRow, id_)
    return row if row is not None and row.tenant == tenant else None
