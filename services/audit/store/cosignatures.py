"""Queries about what the witnesses have cosigned."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.store.rows import CosignatureRow
from shared.database import insert_into


def newest_size(session: Session, witness: str) -> int:
    """The size of the newest checkpoint that this witness has cosigned; 0 if there is none."""
    query = sa.select(sa.func.max(CosignatureRow.size)).where(CosignatureRow.witness == witness)
    return session.execute(query).scalar() or 0


def add_cosignature(session: Session, size: int, witness: str, line: str, now: datetime) -> None:
    """Keep a witness's line; the first of one size stays."""
    row = {"size": size, "witness": witness, "line": line, "received_at": now}
    session.execute(insert_into(session, CosignatureRow).on_conflict_do_nothing(), [row])


def lines_of(session: Session, size: int) -> dict[str, str]:
    """The lines under the checkpoint of this size, by witness."""
    query = sa.select(CosignatureRow.witness, CosignatureRow.line).where(CosignatureRow.size == size)
    rows = session.execute(query.order_by(CosignatureRow.witness))
    return {row.witness: row.line for row in rows}


def newest_sizes(session: Session, limit: int) -> list[int]:
    """Sizes that any witness has cosigned, newest first."""
    query = sa.select(CosignatureRow.size).distinct().order_by(CosignatureRow.size.desc()).limit(limit)
    return list(session.execute(query).scalars())


def sizes_above(session: Session, index: int, limit: int) -> list[int]:
    """Sizes that any witness has cosigned and that cover this entry, smallest first."""
    query = sa.select(CosignatureRow.size).distinct().where(CosignatureRow.size > index)
    return list(session.execute(query.order_by(CosignatureRow.size).limit(limit)).scalars())
