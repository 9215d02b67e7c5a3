"""Queries for readers of the log: one entry, a page of entries, a range for an entry bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.audit.domain.entries import EntryFilter, Order, Page, StoredEntry
from services.audit.store.rows import LeafRow, LeafSpanRow
from services.audit.store.spans import tiles_near
from services.audit.store.terms import IndexRange, Term, having_all, rarest_first, terms_of, unindexed
from shared.tlog.tiles import WIDTH

Query = TypeVar("Query", bound=sa.Select[*tuple[Any, ...]])

FEW = 20_000
"""As many indices as are read from the index of times and sorted, before spans of tiles are asked instead."""
SKEW = 20
"""How many times as long as the shortest a term's index may be to be read beside it; of longer ones the rows that were
found are looked at."""


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
    asked = _Question(page.order, _bounds(wanted, page), terms_of(wanted), wanted.occurred_from, wanted.occurred_to)
    if len(asked.terms) + asked.is_timed > 1:
        asked = replace(asked, terms=rarest_first(session, asked.terms, asked.order, asked.within))
    rarest = asked.terms[0] if asked.terms else None
    if rarest is not None and rarest.stride is None:
        return _along(session, asked, limit)
    if asked.is_timed:
        few = _few_at(session, asked, limit) if rarest is None else None
        return _near(session, asked, limit) if few is None else _of_indices(session, asked, few)
    alike = [term for term in asked.terms if rarest and rarest.stride and rarest.stride <= SKEW * (term.stride or 0)]
    return _in_all(session, asked, alike, limit) if len(alike) > 1 else _along(session, asked, limit)


@dataclass(frozen=True)
class _Question:
    """What is looked for, in which part of the log."""

    order: Order
    within: IndexRange
    terms: list[Term]
    """The rarest first."""
    start: datetime | None
    end: datetime | None

    @property
    def is_timed(self) -> bool:
        return self.start is not None or self.end is not None

    def ordered(self, column: Any) -> Any:
        return column.desc() if self.order == "newest" else column

    def times(self, occurred_at: Any = LeafRow.occurred_at) -> list[sa.ColumnElement[bool]]:
        after = [] if self.start is None else [occurred_at >= self.start]
        return after if self.end is None else [*after, occurred_at < self.end]

    def checks(self) -> list[sa.ColumnElement[bool]]:
        """All of it, to be looked at in rows."""
        return [*(term.checked() for term in self.terms), *self.times(unindexed(LeafRow.occurred_at))]

    def driven(self) -> list[sa.ColumnElement[bool]]:
        """All of it, for the index of the rarest term."""
        return [*(term.indexed() for term in self.terms[:1]), *replace(self, terms=self.terms[1:]).checks()]


def _bounds(wanted: EntryFilter, page: Page) -> IndexRange:
    """Where the page can be, by index alone."""
    low, high = wanted.first_index or 0, page.size
    if wanted.last_index is not None:
        high = min(high, wanted.last_index + 1)
    if page.after is None:
        return low, high
    return (low, min(high, page.after)) if page.order == "newest" else (max(low, page.after + 1), high)


def _along(session: Session, asked: _Question, limit: int) -> list[StoredEntry]:
    """Along the index of the rarest term, or along the log where none is named."""
    low, high = asked.within
    query = _select().where(LeafRow.idx >= low, LeafRow.idx < high, *asked.driven())
    return _fetch(session, query.order_by(asked.ordered(LeafRow.idx)).limit(limit))


def _in_all(session: Session, asked: _Question, alike: list[Term], limit: int) -> list[StoredEntry]:
    """By the indexes of terms that are about as rare, merged; the rows so found are looked at for the other terms."""
    rest = replace(asked, terms=[term for term in asked.terms if term not in alike])
    found: list[StoredEntry] = []
    for indices in having_all(session, alike, asked.order, asked.within):
        found += _of_indices(session, rest, indices)
        if len(found) >= limit:
            break
    return found[:limit]


def _few_at(session: Session, asked: _Question, limit: int) -> list[int] | None:
    """The first indices of what occurred at the times asked for; None where that is more than a few."""
    # In the order of times, so that a planner which takes them for spread evenly does not read the log for them.
    few = sa.select(LeafRow.idx).where(*asked.times()).order_by(LeafRow.occurred_at).limit(FEW + 1).subquery()
    if (session.scalar(sa.select(sa.func.count()).select_from(few)) or 0) > FEW:
        return None
    low, high = asked.within
    query = sa.select(few.c.idx).where(few.c.idx >= low, few.c.idx < high)
    return list(session.scalars(query.order_by(asked.ordered(few.c.idx)).limit(limit)))


def _near(session: Session, asked: _Question, limit: int) -> list[StoredEntry]:
    """Tile by tile, of those whose times are near."""
    dialect = session.get_bind().dialect.name
    if dialect == "sqlite" and not asked.terms:
        # Place and time stand in one index: of a tile that holds one late entry no other row is read.
        places = _in_order(asked, sa.select(LeafRow.idx).where(*_in_tile(asked)))
        return _of_indices(session, asked, list(session.scalars(places.limit(limit))))
    entries = _select().where(*_in_tile(asked))
    if dialect == "postgresql":
        # With a limit, so that it stays what is done for each tile.
        found = entries.limit(WIDTH).lateral()
        entries = sa.select(*found.c).select_from(sa.join(LeafSpanRow, found, sa.true()))
    return _fetch(session, _in_order(asked, entries).limit(limit))


def _in_tile(asked: _Question) -> list[sa.ColumnElement[bool]]:
    low, high = asked.within
    first = LeafSpanRow.tile * WIDTH
    here = [LeafRow.idx >= first, LeafRow.idx < first + WIDTH, unindexed(LeafRow.idx).between(low, high - 1)]
    return [*here, *asked.driven()]


def _in_order(asked: _Question, entries: Query) -> Query:
    near = tiles_near(asked.start, asked.end, asked.within)
    return entries.where(*near).order_by(asked.ordered(LeafSpanRow.tile), asked.ordered(entries.selected_columns.idx))


def _of_indices(session: Session, asked: _Question, indices: list[int]) -> list[StoredEntry]:
    """Those of a few entries that are asked for."""
    if not indices:
        return []
    query = _select().where(LeafRow.idx.in_(indices), *asked.checks())
    return _fetch(session, query.order_by(asked.ordered(LeafRow.idx)))


def _select() -> sa.Select[int, bytes, bytes]:
    return sa.select(LeafRow.idx, LeafRow.entry, LeafRow.leaf_hash)


def _fetch(session: Session, query: sa.Select[int, bytes, bytes]) -> list[StoredEntry]:
    return [StoredEntry(*row) for row in session.execute(query)]
