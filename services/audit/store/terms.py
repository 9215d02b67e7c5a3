"""The terms that entries are asked by, and how close together the entries stand that have one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.audit.domain.entries import EntryFilter, Order
from services.audit.store.rows import LeafRow

IndexRange = tuple[int, int]
"""From the first index on, up to and without the second."""
SAMPLE = 1_000
"""As many entries of a term are looked at, from where a page begins, to tell how rare it is there."""
MERGED = 4_000
"""As many entries of the rarest term the first window should hold in which lists are merged; each next holds four times
as many, so that a long log is a handful of statements, and a page that fills early reads little."""
CHUNK = 500


@dataclass(frozen=True)
class Term:
    """One column and the value it must have, answered from an index of (column, idx)."""

    column: InstrumentedAttribute[Any]
    value: str
    stride: float | None = None
    """Indices from one such entry to the next, as far as was looked; None where there are fewer than `SAMPLE`."""

    def indexed(self) -> sa.ColumnElement[bool]:
        """The condition, for an index."""
        return self.column == self.value

    def checked(self) -> sa.ColumnElement[bool]:
        """The condition, looked at in rows that were found otherwise."""
        return unindexed(self.column) == self.value


def unindexed(column: InstrumentedAttribute[Any]) -> sa.ColumnElement[Any]:
    """A column as no index knows it: without statistics of each value, SQLite drives by whichever index it likes, and
    PostgreSQL reads an index of half the log to save a look at a few rows."""
    return sa.func.coalesce(column, column)


def terms_of(wanted: EntryFilter) -> list[Term]:
    """The terms that a question names, times aside."""
    given = {
        LeafRow.subject_ref: wanted.subject_ref,
        LeafRow.object_id: wanted.object_id,
        LeafRow.actor: wanted.actor,
        LeafRow.model: wanted.model,
        LeafRow.subtype: wanted.subtype,
        LeafRow.type: wanted.type,
        LeafRow.producer: wanted.producer,
        LeafRow.purpose: wanted.purpose,
        LeafRow.outcome: wanted.outcome,
    }
    return [Term(column, value) for column, value in given.items() if value is not None]


def rarest_first(session: Session, terms: Sequence[Term], order: Order, within: IndexRange) -> list[Term]:
    """The terms with their strides, the rarest first; those after one of which there are few are not looked at."""
    found: list[Term] = []
    for term in terms:
        stride = _stride(session, term, order, within)
        if stride is None:
            return [term, *(other for other in terms if other is not term)]
        found.append(Term(term.column, term.value, stride))
    return sorted(found, key=lambda term: -(term.stride or 0))


def _stride(session: Session, term: Term, order: Order, within: IndexRange) -> float | None:
    low, high = within
    query = sa.select(LeafRow.idx).where(term.indexed(), LeafRow.idx >= low, LeafRow.idx < high)
    query = query.order_by(LeafRow.idx.desc() if order == "newest" else LeafRow.idx)
    reached = session.scalar(query.limit(1).offset(SAMPLE - 1))
    if reached is None:
        return None
    return (high - reached if order == "newest" else reached - low + 1) / SAMPLE


def having_all(session: Session, terms: Sequence[Term], order: Order, within: IndexRange) -> Iterator[list[int]]:
    """The indices of entries that have all the terms, in order and in chunks: of the terms' indexes, window by window,
    what stands in each. No row of an entry is read.

    Args:
        terms: with their strides, the rarest first.
    """
    (low, high), width = within, max(CHUNK, int(MERGED * (terms[0].stride or 1)))
    while low < high:
        window = (max(low, high - width), high) if order == "newest" else (low, min(high, low + width))
        found = _merged(session, terms, order, window)
        yield found
        if len(found) == CHUNK:
            edge = found[-1]
        else:
            edge, width = (window[0] if order == "newest" else window[1] - 1), width * 4
        low, high = (low, edge) if order == "newest" else (edge + 1, high)


def _merged(session: Session, terms: Sequence[Term], order: Order, window: IndexRange) -> list[int]:
    lists = [
        sa.select(LeafRow.idx).where(term.indexed(), LeafRow.idx >= window[0], LeafRow.idx < window[1])
        for term in terms
    ]
    common = sa.intersect(*lists)
    index = common.selected_columns.idx
    return list(session.scalars(common.order_by(index.desc() if order == "newest" else index).limit(CHUNK)))
