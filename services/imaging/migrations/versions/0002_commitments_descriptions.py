"""Requests for storage commitment until they are reported; descriptions of studies, to be searched for.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and a nullable column: the code before this revision goes on without them."""
    op.add_column("instance", sa.Column("study_description", sa.String(64)))
    op.create_table(
        "commitment",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("ae_title", sa.String(16), nullable=False),
        sa.Column("transaction_uid", sa.String(64), nullable=False),
        sa.Column("instances", sa.Text, nullable=False),
        sa.Column("requested_at", UtcDateTime, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", UtcDateTime),
        sa.Column("reported_at", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_commitment"),
        sa.UniqueConstraint("tenant", "ae_title", "transaction_uid", name="uq_commitment_transaction"),
    )
    op.create_index("ix_commitment_due_at", "commitment", ["due_at"])


def downgrade() -> None:
    """Forget all requests, reported or not."""
    op.drop_table("commitment")
    op.drop_column("instance", "study_description")
