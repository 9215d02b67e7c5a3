"""How far the log reaches back, and which of its entries are older than they must be kept. Nothing is deleted."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import datetime

from services.audit.context import AuditContext
from services.audit.store import entries as entry_store
from services.audit.store import log as log_store
from shared.clock import years_before
from shared.database import reading


@dataclass(frozen=True)
class Retention:
    """The rule, and what it says of the log as it is."""

    years: int | None
    oldest: datetime | None
    """When the first entry was received."""
    keep_from: datetime | None
    """Entries received before this are older than the rule asks for."""
    past: int
    """How many those are: the entries below this index."""


def look_at_retention(context: AuditContext) -> Retention:
    """What the rule says now. Times of receipt follow the index but for a clock that was set back: where one was,
    `past` may be off by as many entries as came meanwhile."""
    keep_from = years_before(context.clock(), context.retention_years) if context.retention_years else None
    with reading(context.sessions) as session:
        size = log_store.read_coordinate(session)
        oldest = entry_store.received_at(session, 0) if size else None
        if keep_from is None or oldest is None:
            return Retention(context.retention_years, oldest, keep_from, 0)
        past = bisect_left(range(size), keep_from, key=lambda index: entry_store.received_at(session, index) or oldest)
    return Retention(context.retention_years, oldest, keep_from, past)
