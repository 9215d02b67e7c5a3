"""Queries for readers of the log: one entry, a page of entries, a range for an entry bundle."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.entries import EntryFilter, Page, StoredEntry
from services.audit.store.rows import LeafRow


def find_entry(session: Session, index: int) -> StoredEntry | None:
    """One entry by its index."""
    found = _fetch(session, _select().where(LeafRow.idx == index))
    return found[0] if found else None


def range_of_entries(session: Session, start: int, end: int) -> list[bytes]:
    """The bytes of the entries in [start, end)."""
    query = _select().where(LeafRow.idx >= start, LeafRow.idx < end).order_by(LeafRow.idx)
    return [stored.entry for stored in _fetch(session, query)]


def find_entries(session: Session, wanted: EntryFilter, page: Page, limit: int) -> list[StoredEntry]:
    """At most `limit` entries that match, in the page's order."""
    query = _select().where(LeafRow.idx < page.size, *_conditions(wanted)).limit(limit)
    if page.order == "newest":
        query = query.order_by(LeafRow.idx.desc())
        query = query if page.after is None else query.where(LeafRow.idx < page.after)
    else:
        query = query.order_by(LeafRow.idx)
        query = query if page.after is None else query.where(LeafRow.idx > page.after)
    return _fetch(session, query)


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
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if wanted.occurred_from is not None:
        conditions.append(LeafRow.occurred_at >= wanted.occurred_from)
    if wanted.occurred_to is not None:
        conditions.append(LeafRow.occurred_at < wanted.occurred_to)
    if wanted.first_index is not None:
        conditions.append(LeafRow.idx >= wanted.first_index)
    if wanted.last_index is not None:
        conditions.append(LeafRow.idx <= wanted.last_index)
    return conditions
