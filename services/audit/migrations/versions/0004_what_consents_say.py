"""Consents with several purposes, recipients, exceptions, a policy and a source.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """New columns may be null: rows from before have none, and code from before writes none."""
    for name, kind in (
        ("purposes", sa.JSON), ("recipients", sa.JSON), ("exceptions", sa.JSON),
        ("policy_uri", sa.String), ("source_digest", sa.String),
    ):  # fmt: skip
        op.add_column("consent", sa.Column(name, kind, nullable=True))
