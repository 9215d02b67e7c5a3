"""Descriptions of the studies that were stored before 0002, out of their headers.

Revision ID: 0003
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BATCH = 500
STUDY_DESCRIPTION = "00081030"
instance = sa.table("instance", sa.column("id"), sa.column("header"), sa.column("study_description"))


def upgrade() -> None:
    """Fill the column, a batch of rows at a time."""
    connection, last = op.get_bind(), ""
    query = sa.select(instance.c.id, instance.c.header).order_by(instance.c.id).limit(BATCH)
    while rows := connection.execute(query.where(instance.c.id > last)).all():
        last = rows[-1].id
        found = [{"of": row.id, "text": text} for row in rows if (text := _description(row.header))]
        if found:
            filled = sa.update(instance).where(instance.c.id == sa.bindparam("of"))
            connection.execute(filled.values(study_description=sa.bindparam("text")), found)


def _description(header: str) -> str | None:
    values = json.loads(header).get(STUDY_DESCRIPTION, {}).get("Value", [])
    return str(values[0]).strip()[:64] or None if len(values) == 1 else None


def downgrade() -> None:
    """Leave the column as it is: what it holds is true."""
