"""The producers' own numbers, beside each entry and how far each has come; the witnesses' cosignatures.

Works with the code before it, which writes no number.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the column and the three tables."""
    op.add_column("leaf", sa.Column("producer_seq", sa.BigInteger))
    op.create_table(
        "producer",
        sa.Column("producer", sa.String, nullable=False),
        sa.Column("highest", sa.BigInteger, nullable=False),
        sa.Column("repeated", sa.BigInteger, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("producer", name="pk_producer"),
    )
    op.create_table(
        "producer_gap",
        sa.Column("producer", sa.String, nullable=False),
        sa.Column("first", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("found_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("producer", "first", name="pk_producer_gap"),
    )
    op.create_table(
        "cosignature",
        sa.Column("size", Index, autoincrement=False, nullable=False),
        sa.Column("witness", sa.String, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("size", "witness", name="pk_cosignature"),
    )
