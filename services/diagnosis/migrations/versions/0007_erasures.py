"""Which patients were erased, in which jobs, and what workers have forgotten.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime
from shared.erasure import erasure_columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, add the columns."""
    op.create_table("erasure", *erasure_columns(), sa.PrimaryKeyConstraint("id", name="pk_erasure"))
    op.create_index("ix_erasure_subject_ref", "erasure", ["subject_ref"])
    op.add_column("job", sa.Column("erased_at", UtcDateTime))
    op.add_column("worker", sa.Column("forgotten", sa.Integer))
