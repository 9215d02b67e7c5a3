"""Queries about the times that each tile's entries span, by which a question about a time skips the others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.store.log import NewLeaf
from services.audit.store.rows import LeafSpanRow
from shared.database import insert_into
from shared.tlog.tiles import WIDTH

IndexRange = tuple[int, int]
"""From the first index on, up to and without the second."""


def saw_leaves(session: Session, leaves: Iterable[NewLeaf]) -> None:
    """Widen the spans of the tiles that new entries stand in."""
    spans: dict[int, tuple[datetime, datetime]] = {}
    for leaf in leaves:
        moment = leaf.entry.event.occurred_at
        first, last = spans.get(leaf.index // WIDTH, (moment, moment))
        spans[leaf.index // WIDTH] = min(first, moment), max(last, moment)
    insert, row = insert_into(session, LeafSpanRow), LeafSpanRow
    wider = {
        "first": sa.case((insert.excluded.first < row.first, insert.excluded.first), else_=row.first),
        "last": sa.case((insert.excluded.last > row.last, insert.excluded.last), else_=row.last),
    }
    values = [{"tile": tile, "first": first, "last": last} for tile, (first, last) in spans.items()]
    session.execute(insert.on_conflict_do_update(index_elements=["tile"], set_=wider), values)


def ranges_between(
    session: Session, start: datetime | None, end: datetime | None, within: IndexRange
) -> list[IndexRange]:
    """Where in the log entries of [start, end) can stand, in order; each range as long as it can be."""
    conditions = [LeafSpanRow.tile >= within[0] // WIDTH, LeafSpanRow.tile <= within[1] // WIDTH]
    if start is not None:
        conditions.append(LeafSpanRow.last >= start)
    if end is not None:
        conditions.append(LeafSpanRow.first < end)
    # Tiles that follow one another have the same difference to their rank.
    run = LeafSpanRow.tile - sa.func.row_number().over(order_by=LeafSpanRow.tile)
    near = sa.select(LeafSpanRow.tile, run.label("run")).where(*conditions).subquery()
    first, last = sa.func.min(near.c.tile), sa.func.max(near.c.tile)
    found = session.execute(sa.select(first, last).group_by(near.c.run).order_by(first))
    clipped = [(max(a * WIDTH, within[0]), min((b + 1) * WIDTH, within[1])) for a, b in found]
    return [(low, high) for low, high in clipped if low < high]
