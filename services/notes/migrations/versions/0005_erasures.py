"""Which patients were erased, and whom a message was about.

Works with the code before it: a message without a pseudonym is taken as before.

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
    """Create the table, add the column."""
    op.create_table("erasure", *erasure_columns(), sa.PrimaryKeyConstraint("id", name="pk_erasure"))
    op.create_index("ix_erasure_subject_ref", "erasure", ["subject_ref"])
    op.add_column("hl7_message", sa.Column("subject_ref", sa.String(64)))
    op.create_index("ix_hl7_message_subject_ref", "hl7_message", ["subject_ref"])
