"""Purpose, model, and the times that tiles span: what auditors ask by; filled for the entries that are there.

The copies of old entries are made from the entries themselves, in batches. Until the end of it nobody can append.

Revision ID: 0008
Revises: 0007
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Index = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ASKED_BY = ("producer", "outcome", "purpose", "model")
BATCH = 5_000
DISABLE, ENABLE = (f"ALTER TABLE leaf {verb} TRIGGER leaf_append_only" for verb in ("DISABLE", "ENABLE"))
DROP = "DROP TRIGGER leaf_append_only_update"
CREATE = (
    "CREATE TRIGGER leaf_append_only_update BEFORE UPDATE ON leaf BEGIN SELECT RAISE(ABORT, 'leaf is append-only'); END"
)


def upgrade() -> None:
    """Columns, what they hold, then their indexes; the guards are lifted for the copies alone."""
    for name in ("purpose", "model"):
        op.add_column("leaf", sa.Column(name, sa.String, nullable=True))
    op.create_table(
        "leaf_span",
        sa.Column("tile", Index, autoincrement=False, nullable=False),
        sa.Column("first", UtcDateTime, nullable=False),
        sa.Column("last", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("tile", name="pk_leaf_span"),
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    lift, restore = (DROP, CREATE) if sqlite else (DISABLE, ENABLE)
    op.execute(lift)
    _copy_from_entries(op.get_bind())
    op.execute(restore)
    op.execute(
        'INSERT INTO leaf_span (tile, "first", "last")'
        " SELECT idx / 256, min(occurred_at), max(occurred_at) FROM leaf GROUP BY idx / 256"
    )
    for name in ASKED_BY:
        op.create_index(f"ix_leaf_{name}_idx", "leaf", [name, "idx"])


def _copy_from_entries(connection: sa.Connection) -> None:
    read = sa.text("SELECT idx, entry FROM leaf WHERE idx > :after ORDER BY idx LIMIT :batch")
    write = sa.text("UPDATE leaf SET purpose = :purpose, model = :model WHERE idx = :idx")
    after = -1
    while rows := connection.execute(read, {"after": after, "batch": BATCH}).all():
        after = rows[-1][0]
        said = [{"idx": idx, **_said(entry)} for idx, entry in rows]
        if telling := [one for one in said if one["purpose"] or one["model"]]:
            connection.execute(write, telling)


def _said(entry: Any) -> dict[str, str | None]:
    """What an entry says of purpose and model; nothing where it is damaged, which the checker tells."""
    try:
        event = json.loads(entry)["event"]
        purpose, model = event.get("purposeOfUse"), event.get("details", {}).get("bundleDigest")
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"purpose": None, "model": None}
    return {name: value if isinstance(value, str) else None for name, value in (("purpose", purpose), ("model", model))}
