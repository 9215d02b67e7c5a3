"""Diagnoses whose evidence has changed since, and how far the log was followed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("subject_ref", sa.String(64)))
    op.add_column("job", sa.Column("checked_at", UtcDateTime()))
    op.create_index("ix_job_subject_ref", "job", ["subject_ref", "id"])
    op.create_index("ix_job_unchecked", "job", ["checked_at", "finished_at"])
    op.create_table(
        "outdated",
        sa.Column("job_id", sa.String(36), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_outdated"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_outdated_job_id_job"),
    )
    op.create_table(
        "followed",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("next_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_followed"),
        sa.CheckConstraint("id = 1", name=op.f("ck_followed_one_row")),
    )


def downgrade() -> None:
    op.drop_table("followed")
    op.drop_table("outdated")
    op.drop_index("ix_job_unchecked", "job")
    op.drop_index("ix_job_subject_ref", "job")
    op.drop_column("job", "checked_at")
    op.drop_column("job", "subject_ref")
