"""Nights whose sample of diagnoses was computed again.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replay_night",
        sa.Column("night", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("night", name="pk_replay_night"),
    )


def downgrade() -> None:
    op.drop_table("replay_night")
