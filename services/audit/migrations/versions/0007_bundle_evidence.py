"""What is known of a bundle before it may answer, why its stage changed, and which predictions are its own.

Revision ID: 0007
Revises: 0005
"""

import json

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")
BATCH = 5_000


def upgrade() -> None:
    """Two tables that are only ever added to, and two columns."""
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
    op.create_table(
        "bundle_prediction",
        sa.Column("bundle_digest", sa.String, nullable=False),
        sa.Column("idx", Index, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("bundle_digest", "idx", name="pk_bundle_prediction"),
    )
    op.add_column("bundle_event", sa.Column("reason", sa.Text))
    op.add_column("bundle_event", sa.Column("percent", sa.SmallInteger))
    _index_predictions()
    _guard("bundle_evidence")
    _guard("bundle_prediction")


def _index_predictions() -> None:
    """Those that the log holds already, some thousands at a time."""
    connection, after = op.get_bind(), -1
    leaf = sa.table("leaf", sa.column("idx"), sa.column("type"), sa.column("entry"))
    prediction = sa.table("bundle_prediction", sa.column("bundle_digest"), sa.column("idx"))
    while True:
        query = sa.select(leaf.c.idx, leaf.c.entry).where(leaf.c.type == "prediction", leaf.c.idx > after)
        rows = connection.execute(query.order_by(leaf.c.idx).limit(BATCH)).all()
        if not rows:
            return
        after = rows[-1].idx
        digests = ((row.idx, json.loads(row.entry)["event"].get("details", {}).get("bundleDigest")) for row in rows)
        found = [{"bundle_digest": digest, "idx": index} for index, digest in digests if isinstance(digest, str)]
        if found:
            connection.execute(sa.insert(prediction), found)


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
