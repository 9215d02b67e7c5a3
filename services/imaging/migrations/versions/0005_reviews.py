"""Images at which somebody has to look before they leave for research.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table: the code before this revision goes on without it."""
    op.create_table(
        "review",
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("regions", sa.Text, nullable=False),
        sa.Column("examined_at", UtcDateTime, nullable=False),
        sa.Column("decided_at", UtcDateTime),
        sa.PrimaryKeyConstraint("instance_id", name="pk_review"),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name="fk_review_instance_id_instance"),
    )
    op.create_index("ix_review_state", "review", ["tenant", "state", "examined_at"])


def downgrade() -> None:
    """Forget all decisions: everything would have to be looked at again."""
    op.drop_table("review")
