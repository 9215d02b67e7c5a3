"""The tables. The coordinate row gives out the log index, never a database sequence, which has gaps and no order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from shared.database import DeclarativeBase, UtcDateTime, new_metadata

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class Base(DeclarativeBase):
    """The audit service's own metadata."""

    metadata = new_metadata()


class LeafRow(Base):
    """One entry of the log, with copies of the fields that auditors ask by. The entry is the truth, not the copies."""

    __tablename__ = "leaf"
    __table_args__ = (
        sa.Index("ix_leaf_subject_ref_idx", "subject_ref", "idx"),
        sa.Index("ix_leaf_actor_idx", "actor", "idx"),
        sa.Index("ix_leaf_type_idx", "type", "idx"),
        sa.Index("ix_leaf_subtype_idx", "subtype", "idx"),
        sa.Index("ix_leaf_object_id_idx", "object_id", "idx"),
        sa.Index("ix_leaf_producer_idx", "producer", "idx"),
        sa.Index("ix_leaf_outcome_idx", "outcome", "idx"),
        sa.Index("ix_leaf_purpose_idx", "purpose", "idx"),
        sa.Index("ix_leaf_model_idx", "model", "idx"),
        sa.Index("ix_leaf_occurred_at", "occurred_at"),
        sa.Index("ix_leaf_idx_occurred_at", "idx", "occurred_at").ddl_if(dialect="sqlite"),
    )

    idx: Mapped[int] = mapped_column(Index, primary_key=True, autoincrement=False)
    event_id: Mapped[str] = mapped_column(sa.String(36), unique=True)
    body_digest: Mapped[bytes]
    """SHA-256 of the event's canonical JSON: tells the same event sent again from another under its id."""
    entry: Mapped[bytes]
    leaf_hash: Mapped[bytes]
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    producer: Mapped[str]
    type: Mapped[str]
    subtype: Mapped[str]
    outcome: Mapped[str]
    actor: Mapped[str]
    subject_ref: Mapped[str | None]
    object_id: Mapped[str | None]
    producer_seq: Mapped[int | None] = mapped_column(sa.BigInteger)
    purpose: Mapped[str | None]
    model: Mapped[str | None]
    """Digest of the bundle that the event is about (`details.bundleDigest`)."""


class LeafSpanRow(Base):
    """Between which times the acts of one tile's entries occurred: a question about a time reads only tiles near it.

    Times are the producers' and come in no order, so that an index of them does not give pages in the log's order.
    """

    __tablename__ = "leaf_span"

    tile: Mapped[int] = mapped_column(Index, primary_key=True, autoincrement=False)
    first: Mapped[datetime] = mapped_column(UtcDateTime)
    last: Mapped[datetime] = mapped_column(UtcDateTime)


class ProducerRow(Base):
    """How far one producer's own count of its events has come."""

    __tablename__ = "producer"

    producer: Mapped[str] = mapped_column(primary_key=True)
    highest: Mapped[int] = mapped_column(sa.BigInteger)
    repeated: Mapped[int] = mapped_column(sa.BigInteger)
    """Events that came under a number which another had before."""
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProducerGapRow(Base):
    """Numbers of a producer, below its highest, that have not come."""

    __tablename__ = "producer_gap"

    producer: Mapped[str] = mapped_column(primary_key=True)
    first: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(sa.BigInteger)
    found_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TileRow(Base):
    """The hashes of one tile so far; partial tiles are its prefixes."""

    __tablename__ = "tile"

    level: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(Index, primary_key=True, autoincrement=False)
    hashes: Mapped[bytes]


class CoordinateRow(Base):
    """The one row whose lock makes a process the sequencer for one transaction."""

    __tablename__ = "coordinate"
    __table_args__ = (sa.CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    size: Mapped[int] = mapped_column(Index)


class CheckpointRow(Base):
    """Every checkpoint ever signed: one per size, so that two roots for one size cannot be stored."""

    __tablename__ = "checkpoint"

    size: Mapped[int] = mapped_column(Index, primary_key=True, autoincrement=False)
    root: Mapped[bytes]
    note: Mapped[str] = mapped_column(sa.Text)
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CosignatureRow(Base):
    """A witness's line under the checkpoint of one size."""

    __tablename__ = "cosignature"

    size: Mapped[int] = mapped_column(Index, primary_key=True, autoincrement=False)
    witness: Mapped[str] = mapped_column(primary_key=True)
    """Name and key id."""
    line: Mapped[str] = mapped_column(sa.Text)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ConsentRow(Base):
    """One version of one consent; written once, never changed."""

    __tablename__ = "consent"
    __table_args__ = (sa.Index("ix_consent_subject_ref_idx", "subject_ref", "idx"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    idx: Mapped[int] = mapped_column(Index, unique=True)
    """Log index of the event that tells of this version."""
    given_idx: Mapped[int] = mapped_column(Index)
    patient: Mapped[str]
    subject_ref: Mapped[str]
    decision: Mapped[str]
    purpose: Mapped[str]
    """The first of `purposes`."""
    modalities: Mapped[list[str]] = mapped_column(sa.JSON)
    start: Mapped[datetime | None] = mapped_column(UtcDateTime)
    end: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn: Mapped[bool]
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    purposes: Mapped[list[str] | None] = mapped_column(sa.JSON)
    """None in rows from before 2026-12, which have one."""
    recipients: Mapped[list[dict[str, str]] | None] = mapped_column(sa.JSON)
    exceptions: Mapped[list[dict[str, Any]] | None] = mapped_column(sa.JSON)
    policy_uri: Mapped[str | None]
    source_digest: Mapped[str | None]


class BreakGlassRow(Base):
    """One access that broke the glass; written once, never changed."""

    __tablename__ = "break_glass"
    __table_args__ = (
        sa.Index("ix_break_glass_subject_ref", "subject_ref", "expires_at"),
        sa.Index("ix_break_glass_review_due_at", "review_due_at"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    idx: Mapped[int] = mapped_column(Index, unique=True)
    """Log index of the event that tells of it."""
    patient: Mapped[str]
    subject_ref: Mapped[str]
    purpose: Mapped[str]
    modalities: Mapped[list[str]] = mapped_column(sa.JSON)
    reason: Mapped[str] = mapped_column(sa.Text)
    issuer: Mapped[str]
    subject: Mapped[str]
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    review_due_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BreakGlassReviewRow(Base):
    """What another person made of an access; one at most."""

    __tablename__ = "break_glass_review"

    access_id: Mapped[str] = mapped_column(sa.ForeignKey("break_glass.id"), primary_key=True)
    idx: Mapped[int] = mapped_column(Index, unique=True)
    finding: Mapped[str]
    comment: Mapped[str | None] = mapped_column(sa.Text)
    issuer: Mapped[str]
    subject: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ErasureRow(Base):
    """One erasure of a patient; the identifier only until it is done."""

    __tablename__ = "erasure"
    __table_args__ = (sa.Index("ix_erasure_subject_ref", "subject_ref"), sa.Index("ix_erasure_state", "state"))

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    idx: Mapped[int | None] = mapped_column(Index)
    """Log index of the newest event that tells of it."""
    subject_ref: Mapped[str]
    patient: Mapped[str | None]
    reason: Mapped[str] = mapped_column(sa.Text)
    issuer: Mapped[str]
    subject: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str]
    again: Mapped[bool]
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ErasurePartRow(Base):
    """What one service has to do for an erasure, and its receipt."""

    __tablename__ = "erasure_part"

    erasure_id: Mapped[str] = mapped_column(sa.ForeignKey("erasure.id"), primary_key=True)
    service: Mapped[str] = mapped_column(primary_key=True)
    stores: Mapped[dict[str, int] | None] = mapped_column(sa.JSON(none_as_null=True))
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int]


class HoldRow(Base):
    """A legal hold on one patient's data; it is released, never deleted."""

    __tablename__ = "hold"
    __table_args__ = (sa.Index("ix_hold_subject_ref", "subject_ref"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    idx: Mapped[int] = mapped_column(Index)
    """Log index of the event that tells of its placing."""
    subject_ref: Mapped[str]
    reason: Mapped[str] = mapped_column(sa.Text)
    owner: Mapped[str]
    issuer: Mapped[str]
    subject: Mapped[str]
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    released_by: Mapped[str | None]


class BundleRow(Base):
    """One registered model bundle."""

    __tablename__ = "bundle"
    __table_args__ = (sa.UniqueConstraint("name", "version", name="uq_bundle_name_version"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    name: Mapped[str]
    version: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    card: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BundleEventRow(Base):
    """One logged change of a bundle's stage."""

    __tablename__ = "bundle_event"

    idx: Mapped[int] = mapped_column(Index, primary_key=True, autoincrement=False)
    bundle_id: Mapped[str] = mapped_column(sa.ForeignKey("bundle.id"))
    change: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str]
    reason: Mapped[str | None] = mapped_column(sa.Text)
    percent: Mapped[int | None] = mapped_column(sa.SmallInteger)


class BundleEvidenceRow(Base):
    """One logged piece of what is known of a bundle; written once, never changed."""

    __tablename__ = "bundle_evidence"
    __table_args__ = (sa.Index("ix_bundle_evidence_bundle_id", "bundle_id", "idx"),)

    idx: Mapped[int] = mapped_column(Index, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(sa.String(36))
    bundle_id: Mapped[str] = mapped_column(sa.ForeignKey("bundle.id"))
    kind: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    issuer: Mapped[str]
    actor: Mapped[str]
