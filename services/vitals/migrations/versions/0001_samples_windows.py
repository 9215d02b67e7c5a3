"""Batches, samples, windows and the outbox.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create all tables."""
    _create_samples()
    _create_windows()
    op.create_table(
        "outbox",
        sa.Column("seq", Index, autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("sent_at", UtcDateTime),
        sa.PrimaryKeyConstraint("seq", name="pk_outbox"),
        sa.UniqueConstraint("event_id", name="uq_outbox_event_id"),
    )
    op.create_index("ix_outbox_sent_at", "outbox", ["sent_at"])


def _create_samples() -> None:
    op.create_table(
        "batch",
        sa.Column("number", Index, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_batch"),
        sa.UniqueConstraint("id", name="uq_batch_id"),
    )
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
        sa.PrimaryKeyConstraint("tenant", "patient", "effective", "code", "device", "value", name="pk_sample"),
        sa.ForeignKeyConstraint(["batch"], ["batch.number"], name="fk_sample_batch_batch"),
        sqlite_with_rowid=False,
    )


def _create_windows() -> None:
    op.create_table(
        "window",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("blob", sa.String(80), nullable=False),
        sa.Column("start", UtcDateTime, nullable=False),
        sa.Column("end", UtcDateTime, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("quality", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_window"),
        sa.UniqueConstraint("tenant", "patient", "digest", name="uq_window_content"),
    )
