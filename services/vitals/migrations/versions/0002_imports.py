"""Imports of files, and the records they rejected.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

COUNTERS = ("bytes_done", "read", "accepted", "duplicates", "rejected", "ignored", "fence")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "import_job",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("layout", sa.String(16), nullable=False),
        sa.Column("pieces", sa.String(80), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sender", sa.Text, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", sa.String(255), nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTERS),
        sa.Column("lease_until", UtcDateTime),
        sa.Column("readers", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_import_job"),
        sa.UniqueConstraint("tenant", "digest", "patient", "zone", name="uq_import_job_content"),
    )
    op.create_index("ix_import_job_state", "import_job", ["tenant", "state"])
    op.create_table(
        "import_reject",
        sa.Column("job", sa.String(36), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("field", sa.String(64), nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("fix", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("job", "number", name="pk_import_reject"),
        sa.ForeignKeyConstraint(["job"], ["import_job.id"], name="fk_import_reject_job_import_job"),
    )
