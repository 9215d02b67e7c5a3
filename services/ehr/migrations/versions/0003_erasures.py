"""Which patients were erased.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from shared.erasure import erasure_columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table("erasure", *erasure_columns(), sa.PrimaryKeyConstraint("id", name="pk_erasure"))
    op.create_index("ix_erasure_subject_ref", "erasure", ["subject_ref"])
