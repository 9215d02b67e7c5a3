"""Which patients were erased, whom a message was about, and sealed texts.

The code before it takes messages without a pseudonym, as before, and shows notes that were sealed without a text.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from shared.erasure import erasure_columns

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, add the columns."""
    op.create_table("erasure", *erasure_columns(), sa.PrimaryKeyConstraint("id", name="pk_erasure"))
    op.create_index("ix_erasure_subject_ref", "erasure", ["subject_ref"])
    op.add_column("hl7_message", sa.Column("subject_ref", sa.String(64)))
    op.create_index("ix_hl7_message_subject_ref", "hl7_message", ["subject_ref"])
    op.add_column("note", sa.Column("sealed", sa.LargeBinary))
    op.add_column("note", sa.Column("characters", sa.Integer))
