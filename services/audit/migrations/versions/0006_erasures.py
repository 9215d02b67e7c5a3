"""Erasures, what each service has to do for them, and legal holds.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Three tables."""
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("idx", Index, nullable=True),
        sa.Column("subject_ref", sa.String, nullable=False),
        sa.Column("patient", sa.String, nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("issuer", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("requested_at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("again", sa.Boolean, nullable=False),
        sa.Column("finished_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_erasure"),
    )
    op.create_index("ix_erasure_subject_ref", "erasure", ["subject_ref"])
    op.create_index("ix_erasure_state", "erasure", ["state"])
    op.create_table(
        "erasure_part",
        sa.Column("erasure_id", sa.String(36), nullable=False),
        sa.Column("service", sa.String, nullable=False),
        sa.Column("stores", sa.JSON, nullable=True),
        sa.Column("done_at", UtcDateTime, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("erasure_id", "service", name="pk_erasure_part"),
        sa.ForeignKeyConstraint(["erasure_id"], ["erasure.id"], name="fk_erasure_part_erasure_id_erasure"),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("idx", Index, nullable=False),
        sa.Column("subject_ref", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("owner", sa.String, nullable=False),
        sa.Column("issuer", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("placed_at", UtcDateTime, nullable=False),
        sa.Column("released_at", UtcDateTime, nullable=True),
        sa.Column("released_by", sa.String, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_hold"),
    )
    op.create_index("ix_hold_subject_ref", "hold", ["subject_ref"])
