"""What is known of a bundle before it may answer, and why its stage changed.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """A table that is only ever added to, and two columns."""
    op.create_table(
        "bundle_evidence",
        sa.Column("idx", Index, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("bundle_id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("issuer", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("idx", name="pk_bundle_evidence"),
        sa.ForeignKeyConstraint(["bundle_id"], ["bundle.id"], name="fk_bundle_evidence_bundle_id_bundle"),
    )
    op.create_index("ix_bundle_evidence_bundle_id", "bundle_evidence", ["bundle_id", "idx"])
    op.add_column("bundle_event", sa.Column("reason", sa.Text))
    op.add_column("bundle_event", sa.Column("percent", sa.SmallInteger))
    _guard("bundle_evidence")


def _guard(table: str) -> None:
    """As migration 0002 does for the others."""
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_append_only_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
