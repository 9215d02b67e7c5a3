"""Queries for readers of the log: one entry, a page of entries, a range for an entry bundle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.entries import EntryFilter, Page, StoredEntry
from services.audit.store.rows import LeafRow
from services.audit.store.spans import IndexRange, ranges_between


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
    found: list[StoredEntry] = []
    for low, high in _ranges(session, wanted, page):
        query = _select().where(LeafRow.idx >= low, LeafRow.idx < high, *_conditions(wanted))
        order = LeafRow.idx.desc() if page.order == "newest" else LeafRow.idx
        found += _fetch(session, query.order_by(order).limit(limit - len(found)))
        if len(found) == limit:
            break
    return found


def _ranges(session: Session, wanted: EntryFilter, page: Page) -> list[IndexRange]:
    """Where to look, in the page's order."""
    low, high = wanted.first_index or 0, page.size
    if wanted.last_index is not None:
        high = min(high, wanted.last_index + 1)
    if page.after is not None:
        low, high = (low, min(high, page.after)) if page.order == "newest" else (max(low, page.after + 1), high)
    timed = wanted.occurred_from is not None or wanted.occurred_to is not None
    # Of one patient or one object there are few entries: their own index is shorter than any part of the log.
    if not timed or wanted.subject_ref is not None or wanted.object_id is not None:
        return [(low, high)] if low < high else []
    ranges = ranges_between(session, wanted.occurred_from, wanted.occurred_to, (low, high))
    return ranges[::-1] if page.order == "newest" else ranges


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
    if wanted.occurred_from is not None:
        conditions.append(LeafRow.occurred_at >= wanted.occurred_from)
    if wanted.occurred_to is not None:
        conditions.append(LeafRow.occurred_at < wanted.occurred_to)
    return conditions
