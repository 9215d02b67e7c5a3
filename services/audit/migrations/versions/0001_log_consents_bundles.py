"""The log, consents and bundles.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create all tables and the one coordinate row."""
    _create_log()
    _create_consents()
    _create_bundles()


def _create_log() -> None:
    op.create_table(
        "leaf",
        sa.Column("idx", Index, autoincrement=False, nullable=False),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("body_digest", sa.LargeBinary, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("occurred_at", UtcDateTime, nullable=False),
        sa.Column("producer", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("subtype", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("subject_ref", sa.String),
        sa.Column("object_id", sa.String),
        sa.PrimaryKeyConstraint("idx", name="pk_leaf"),
        sa.UniqueConstraint("event_id", name="uq_leaf_event_id"),
    )
    op.create_index("ix_leaf_subject_ref_idx", "leaf", ["subject_ref", "idx"])
    op.create_index("ix_leaf_actor_idx", "leaf", ["actor", "idx"])
    op.create_index("ix_leaf_type_idx", "leaf", ["type", "idx"])
    op.create_index("ix_leaf_subtype_idx", "leaf", ["subtype", "idx"])
    op.create_index("ix_leaf_object_id_idx", "leaf", ["object_id", "idx"])
    op.create_index("ix_leaf_occurred_at", "leaf", ["occurred_at"])
    op.create_table(
        "tile",
        sa.Column("level", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("n", Index, autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("level", "n", name="pk_tile"),
    )
    coordinate = op.create_table(
        "coordinate",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("size", Index, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_coordinate"),
        sa.CheckConstraint("id = 1", name="ck_coordinate_one_row"),
    )
    op.bulk_insert(coordinate, [{"id": 1, "size": 0}])
    op.create_table(
        "checkpoint",
        sa.Column("size", Index, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("signed_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoint"),
    )


def _create_consents() -> None:
    op.create_table(
        "consent",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("idx", Index, nullable=False),
        sa.Column("given_idx", Index, nullable=False),
        sa.Column("patient", sa.String, nullable=False),
        sa.Column("subject_ref", sa.String, nullable=False),
        sa.Column("decision", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("modalities", sa.JSON, nullable=False),
        sa.Column("start", UtcDateTime),
        sa.Column("end", UtcDateTime),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        sa.Column("given_at", UtcDateTime, nullable=False),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", "version", name="pk_consent"),
        sa.UniqueConstraint("idx", name="uq_consent_idx"),
    )
    op.create_index("ix_consent_subject_ref_idx", "consent", ["subject_ref", "idx"])


def _create_bundles() -> None:
    op.create_table(
        "bundle",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.Column("card", sa.JSON, nullable=False),
        sa.Column("registered_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bundle"),
        sa.UniqueConstraint("digest", name="uq_bundle_digest"),
        sa.UniqueConstraint("name", "version", name="uq_bundle_name_version"),
    )
    op.create_table(
        "bundle_event",
        sa.Column("idx", Index, autoincrement=False, nullable=False),
        sa.Column("bundle_id", sa.String(36), nullable=False),
        sa.Column("change", sa.String, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("idx", name="pk_bundle_event"),
        sa.ForeignKeyConstraint(["bundle_id"], ["bundle.id"], name="fk_bundle_event_bundle_id_bundle"),
    )
