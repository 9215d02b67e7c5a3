"""Samples in partitions by month on PostgreSQL; no foreign key from each sample to its batch.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from services.vitals.partitions import ensure_months
from shared.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")
COLUMNS = (
    "tenant, patient, effective, code, device, value, sent_code, sent_value, sent_unit, batch, zone_minutes, corrected"
)


def upgrade() -> None:
    """Make the table anew and move what is in it."""
    op.drop_index("ix_sample_corrected", "sample")
    op.rename_table("sample", "sample_before")
    op.create_table(
        "sample",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("effective", UtcDateTime, nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("device", sa.String(128), nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("sent_code", sa.String(16), nullable=False),
        sa.Column("sent_value", sa.Double, nullable=False),
        sa.Column("sent_unit", sa.String(64), nullable=False),
        sa.Column("batch", Index, nullable=False),
        sa.Column("zone_minutes", sa.SmallInteger),
        sa.Column("corrected", UtcDateTime),
        # An index's name must be new while the old table has it.
        sa.PrimaryKeyConstraint("tenant", "patient", "effective", "code", "device", "value", name="pk_sample_2"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (effective)",
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE sample_before_1990 PARTITION OF sample FOR VALUES FROM (MINVALUE) TO ('1990-01-01Z')")
        op.execute("CREATE TABLE sample_from_2100 PARTITION OF sample FOR VALUES FROM ('2100-01-01Z') TO (MAXVALUE)")
        months = "SELECT DISTINCT date_trunc('month', effective AT TIME ZONE 'UTC') FROM sample_before"
        ensure_months(op.get_bind(), [row[0].date() for row in op.get_bind().execute(sa.text(months))])
    op.execute(f"INSERT INTO sample ({COLUMNS}) SELECT {COLUMNS} FROM sample_before")  # noqa: S608  # our own names
    op.drop_table("sample_before")
    op.create_index(
        "ix_sample_corrected",
        "sample",
        ["tenant", "patient", "corrected"],
        sqlite_where=sa.text("corrected IS NOT NULL"),
        postgresql_where=sa.text("corrected IS NOT NULL"),
    )
