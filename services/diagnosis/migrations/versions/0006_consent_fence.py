"""A fence between consents and releases.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One row per patient whose consents the audit service told of, or of whom something was released."""
    op.create_table(
        "consent_fence",
        sa.Column("subject_ref", sa.String(64), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subject_ref", name="pk_consent_fence"),
    )
