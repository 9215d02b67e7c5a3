"""Queries for readers of the log: one entry, a page of entries, a range for an entry bundle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.entries import EntryFilter, Order, Page, StoredEntry
from services.audit.store.rows import LeafRow
from services.audit.store.spans import IndexRange, ranges_between

FEW = 20_000
"""As many indices as are read from the index of times and sorted, before spans of tiles are asked instead."""
CHUNK = 500


def find_entry(session: Session, index: int) -> StoredEntry | None:
    """One entry by its index."""
    found = _fetch(session, _select().where(LeafRow.idx == index))
    return found[0] if found else None


def received_at(session: Session, index: int) -> datetime | None:
    """When an entry was received; None where it is missing."""
    return session.scalar(sa.select(LeafRow.received_at).where(LeafRow.idx == index))


def range_of_entries(session: Session, start: int, end: int) -> list[bytes]:
    """The bytes of the entries in [start, end)."""
    query = _select().where(LeafRow.idx >= start, LeafRow.idx < end).order_by(LeafRow.idx)
    return [stored.entry for stored in _fetch(session, query)]


def find_entries(session: Session, wanted: EntryFilter, page: Page, limit: int) -> list[StoredEntry]:
    """At most `limit` entries that match, in the page's order."""
    within = _bounds(wanted, page)
    timed = wanted.occurred_from is not None or wanted.occurred_to is not None
    # Of one patient or one object there are few entries: their own index is shorter than any part of the log.
    if not timed or wanted.subject_ref is not None or wanted.object_id is not None:
        return _in_ranges(session, wanted, page.order, [within], limit)
    few = _few_at(session, wanted, within)
    if few is not None:
        return _of_indices(session, wanted, page.order, few, limit)
    ranges = ranges_between(session, wanted.occurred_from, wanted.occurred_to, within)
    return _in_ranges(session, wanted, page.order, ranges, limit)


def _bounds(wanted: EntryFilter, page: Page) -> IndexRange:
    """Where the page can be, by index alone."""
    low, high = wanted.first_index or 0, page.size
    if wanted.last_index is not None:
        high = min(high, wanted.last_index + 1)
    if page.after is None:
        return low, high
    return (low, min(high, page.after)) if page.order == "newest" else (max(low, page.after + 1), high)


def _in_ranges(
    session: Session, wanted: EntryFilter, order: Order, ranges: Sequence[IndexRange], limit: int
) -> list[StoredEntry]:
    found: list[StoredEntry] = []
    newest = order == "newest"
    for low, high in reversed(ranges) if newest else ranges:
        query = _select().where(LeafRow.idx >= low, LeafRow.idx < high, *_conditions(wanted))
        query = query.order_by(LeafRow.idx.desc() if newest else LeafRow.idx)
        found += _fetch(session, query.limit(limit - len(found)))
        if len(found) == limit:
            break
    return found


def _few_at(session: Session, wanted: EntryFilter, within: IndexRange) -> list[int] | None:
    """The indices of all that occurred at the times asked for, in order; None where that is more than a few."""
    # In the order of times, so that a planner which takes them for spread evenly does not read the log for them.
    query = sa.select(LeafRow.idx).where(*_times(wanted)).order_by(LeafRow.occurred_at).limit(FEW + 1)
    indices = session.scalars(query).all()
    if len(indices) > FEW:
        return None
    return sorted(index for index in indices if within[0] <= index < within[1])


def _of_indices(
    session: Session, wanted: EntryFilter, order: Order, indices: list[int], limit: int
) -> list[StoredEntry]:
    found: list[StoredEntry] = []
    newest = order == "newest"
    ordered = indices[::-1] if newest else indices
    for start in range(0, len(ordered), CHUNK):
        query = _select().where(LeafRow.idx.in_(ordered[start : start + CHUNK]), *_conditions(wanted))
        query = query.order_by(LeafRow.idx.desc() if newest else LeafRow.idx)
        found += _fetch(session, query.limit(limit - len(found)))
        if len(found) == limit:
            break
    return found


def _select() -> sa.Select[int, bytes, bytes]:
    return sa.select(LeafRow.idx, LeafRow.entry, LeafRow.leaf_hash)


def _fetch(session: Session, query: sa.Select[int, bytes, bytes]) -> list[StoredEntry]:
    return [StoredEntry(*row) for row in session.execute(query)]


def _conditions(wanted: EntryFilter) -> Sequence[sa.ColumnElement[bool]]:
    equal = {
        LeafRow.type: wanted.type,
        LeafRow.subtype: wanted.subtype,
        LeafRow.actor: wanted.actor,
        LeafRow.subject_ref: wanted.subject_ref,
        LeafRow.object_id: wanted.object_id,
        LeafRow.producer: wanted.producer,
        LeafRow.outcome: wanted.outcome,
        LeafRow.purpose: wanted.purpose,
        LeafRow.model: wanted.model,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    return [*conditions, *_times(wanted)]


def _times(wanted: EntryFilter) -> list[sa.ColumnElement[bool]]:
    conditions = []
    if wanted.occurred_from is not None:
        conditions.append(LeafRow.occurred_at >= wanted.occurred_from)
    if wanted.occurred_to is not None:
        conditions.append(LeafRow.occurred_at < wanted.occurred_to)
    return conditions
