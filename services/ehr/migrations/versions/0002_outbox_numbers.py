"""Audit events bear their producer's number.

Works with the code before it: rows without a number are sent without one.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the number, and the counter that gives it."""
    op.add_column("outbox", sa.Column("producer_seq", sa.BigInteger))
    op.create_index("ix_outbox_producer_seq", "outbox", ["producer_seq"], unique=True)
    op.create_table(
        "outbox_counter",
        sa.Column("producer", sa.String, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("producer", name="pk_outbox_counter"),
    )
