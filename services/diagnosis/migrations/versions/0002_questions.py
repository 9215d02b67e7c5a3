"""Questions of the joint space on their way to a worker and back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "question",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("job_id", sa.String(36)),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("answer", sa.Text()),
        sa.Column("refusal", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_question"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_question_job_id_job"),
    )
    op.create_index("ix_question_expires_at", "question", ["expires_at"])


def downgrade() -> None:
    op.drop_table("question")
