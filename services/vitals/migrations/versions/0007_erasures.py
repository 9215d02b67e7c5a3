"""Which patients were erased, whom a message was about, and where the pieces of a file lie.

Works with the code before it: its messages have no pseudonym, and its files lie where all did.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from shared.erasure import erasure_columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, add the columns."""
    op.create_table("erasure", *erasure_columns(), sa.PrimaryKeyConstraint("id", name="pk_erasure"))
    op.create_index("ix_erasure_subject_ref", "erasure", ["subject_ref"])
    op.add_column("hl7_message", sa.Column("subject_ref", sa.String(64)))
    op.create_index("ix_hl7_message_subject_ref", "hl7_message", ["subject_ref"])
    op.add_column("import_job", sa.Column("owner", sa.String(64)))
