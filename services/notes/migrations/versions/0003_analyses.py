"""What was found in the texts of notes.

A new table alone: the code before this migration neither reads nor misses it. Notes stored before have no row, and
get one when they are first read.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "note_analysis",
        sa.Column("note_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("note_id", name="pk_note_analysis"),
        sa.ForeignKeyConstraint(["note_id"], ["note.id"], name="fk_note_analysis_note_id_note"),
    )
