"""Versions of notes, and the HL7 v2 messages and documents that they came in.

New tables alone: the code before this migration neither reads nor misses them.

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


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "note_end",
        sa.Column("note_id", sa.String(36), nullable=False),
        sa.Column("by_id", sa.String(36)),
        sa.Column("effective_at", UtcDateTime, nullable=False),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("note_id", name="pk_note_end"),
        sa.ForeignKeyConstraint(["note_id"], ["note.id"], name="fk_note_end_note_id_note"),
        sa.ForeignKeyConstraint(["by_id"], ["note.id"], name="fk_note_end_by_id_note"),
    )
    op.create_table(
        "note_addendum",
        sa.Column("note_id", sa.String(36), nullable=False),
        sa.Column("target_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("note_id", name="pk_note_addendum"),
        sa.ForeignKeyConstraint(["note_id"], ["note.id"], name="fk_note_addendum_note_id_note"),
        sa.ForeignKeyConstraint(["target_id"], ["note.id"], name="fk_note_addendum_target_id_note"),
    )
    op.create_table(
        "hl7_message",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", name="pk_hl7_message"),
    )
    op.create_table(
        "hl7_document",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("note_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", "note_id", name="pk_hl7_document"),
        sa.ForeignKeyConstraint(["note_id"], ["note.id"], name="fk_hl7_document_note_id_note"),
    )
