"""What devices' clocks showed, corrected times, and which patients' samples came when.

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
    """Add columns that the code before does not need, and two tables."""
    op.add_column("sample", sa.Column("zone_minutes", sa.SmallInteger))
    op.add_column("sample", sa.Column("corrected", UtcDateTime))
    op.create_index(
        "ix_sample_corrected",
        "sample",
        ["tenant", "patient", "corrected"],
        sqlite_where=sa.text("corrected IS NOT NULL"),
        postgresql_where=sa.text("corrected IS NOT NULL"),
    )
    op.create_table(
        "arrival",
        sa.Column("number", Index, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("batch", sa.BigInteger, nullable=False),
        sa.Column("earliest", UtcDateTime, nullable=False),
        sa.Column("latest", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_arrival"),
    )
    op.create_index("ix_arrival_patient", "arrival", ["tenant", "patient", "number"])
    op.create_table(
        "device_clock",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("device", sa.String(128), nullable=False),
        sa.Column("batch", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("sent_at", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("drift_ppm", sa.Double),
        sa.Column("confidence", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "patient", "device", "batch", name="pk_device_clock"),
    )
