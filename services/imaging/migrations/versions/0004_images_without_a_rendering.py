"""Instances that are stored without a rendering: colour, and images that no decoder can read.

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
    """Let the digest of the rendering be absent; the code before this revision always writes it."""
    with op.batch_alter_table("instance") as table:
        table.alter_column("rendered_digest", existing_type=sa.String(80), nullable=True)


def downgrade() -> None:
    """Refuse where the code before this revision could not read what is stored."""
    absent = sa.text("SELECT count(*) FROM instance WHERE rendered_digest IS NULL")
    if op.get_bind().scalar(absent):
        raise RuntimeError("instances without a rendering are stored; the code before 0004 cannot read them")
    with op.batch_alter_table("instance") as table:
        table.alter_column("rendered_digest", existing_type=sa.String(80), nullable=False)
