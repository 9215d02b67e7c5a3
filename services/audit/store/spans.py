"""Queries about the times that each tile's entries span, by which a question about a time skips the others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.store.log import NewLeaf
from services.audit.store.rows import LeafSpanRow
from services.audit.store.terms import IndexRange
from shared.database import insert_into
from shared.tlog.tiles import WIDTH


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


def tiles_near(start: datetime | None, end: datetime | None, within: IndexRange) -> list[sa.ColumnElement[bool]]:
    """The tiles of a part of the log in which entries of [start, end) can stand."""
    tile = LeafSpanRow.tile
    conditions: list[sa.ColumnElement[bool]] = [tile >= within[0] // WIDTH, tile <= within[1] // WIDTH]
    if start is not None:
        conditions.append(LeafSpanRow.last >= start)
    if end is not None:
        conditions.append(LeafSpanRow.first < end)
    return conditions
