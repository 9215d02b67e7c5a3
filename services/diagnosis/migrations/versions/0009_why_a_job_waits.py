"""Why a job was put off, for whoever asked for it.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column that jobs from before leave empty."""
    op.add_column("job", sa.Column("waits_for", sa.String(500)))
