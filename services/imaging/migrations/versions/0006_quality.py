"""What the quality gate found of images.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table: the code before this revision goes on without it."""
    op.create_table(
        "quality",
        sa.Column("instance_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("findings", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("instance_id", name="pk_quality"),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"], name="fk_quality_instance_id_instance"),
    )


def downgrade() -> None:
    """Forget the findings: they are found anew."""
    op.drop_table("quality")
