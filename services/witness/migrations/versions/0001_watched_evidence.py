"""Logs that are watched, and evidence against them.

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

Size = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "watched",
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("size", Size, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("cosignature", sa.Text, nullable=False),
        sa.Column("cosigned_at", UtcDateTime),
        sa.PrimaryKeyConstraint("origin", name="pk_watched"),
    )
    op.create_table(
        "evidence",
        sa.Column("id", Size, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("known", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
    )
    op.create_index("ix_evidence_origin", "evidence", ["origin"])
