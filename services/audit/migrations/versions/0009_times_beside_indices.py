"""On SQLite, an index that holds the time of each entry beside its place: tiles are looked through without their rows.

PostgreSQL answers the same questions as fast without it, and would write it for nothing.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The index."""
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ix_leaf_idx_occurred_at", "leaf", ["idx", "occurred_at"])
