"""In which stage a result's bundle stood, and what bundles in the shadow said.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column that old results leave empty, and a table."""
    op.add_column("result", sa.Column("stage", sa.String(16)))
    op.create_table(
        "shadow_result",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("job_id", sa.String(36), nullable=False),
        sa.Column("manifest_digest", sa.String(71), nullable=False),
        sa.Column("bundle_digest", sa.String(71), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shadow_result"),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name="fk_shadow_result_job_id_job"),
        sa.ForeignKeyConstraint(
            ["manifest_digest"], ["manifest.digest"], name="fk_shadow_result_manifest_digest_manifest"
        ),
        sa.UniqueConstraint("job_id", "manifest_digest", "bundle_digest", name="uq_shadow_result_job_manifest_bundle"),
    )
