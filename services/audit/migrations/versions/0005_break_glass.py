"""Accesses that broke the glass, and their reviews.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Two tables: what is reviewed is not changed by it."""
    op.create_table(
        "break_glass",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("idx", Index, nullable=False),
        sa.Column("patient", sa.String, nullable=False),
        sa.Column("subject_ref", sa.String, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("modalities", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("issuer", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("review_due_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_break_glass"),
        sa.UniqueConstraint("idx", name="uq_break_glass_idx"),
    )
    op.create_index("ix_break_glass_subject_ref", "break_glass", ["subject_ref", "expires_at"])
    op.create_index("ix_break_glass_review_due_at", "break_glass", ["review_due_at"])
    op.create_table(
        "break_glass_review",
        sa.Column("access_id", sa.String(36), nullable=False),
        sa.Column("idx", Index, nullable=False),
        sa.Column("finding", sa.String, nullable=False),
        sa.Column("comment", sa.Text, nullable=True),
        sa.Column("issuer", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("access_id", name="pk_break_glass_review"),
        sa.UniqueConstraint("idx", name="uq_break_glass_review_idx"),
        sa.ForeignKeyConstraint(["access_id"], ["break_glass.id"], name="fk_break_glass_review_access_id_break_glass"),
    )
