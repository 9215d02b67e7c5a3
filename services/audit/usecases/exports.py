"""Entries together with the proofs that they are in the log."""

from __future__ import annotations

from collections.abc import Iterator

from services.audit.context import AuditContext
from services.audit.domain.entries import EntryFilter, Page, StoredEntry
from services.audit.store import entries as entry_store
from services.audit.store import log as log_store
from services.audit.usecases.entries import EXPORT_CHUNK
from shared.database import reading
from shared.tlog.tiles import Known, inclusion_proof

Proven = tuple[StoredEntry, list[bytes]]
"""An entry, and the hashes that lead from it to the root."""


def proven_entries(context: AuditContext, wanted: EntryFilter, size: int) -> Iterator[Proven]:
    """All matching entries of the tree of this size, in the order of the log; read in chunks, so that no transaction
    outlives one."""
    page: Page | None = Page("oldest", size)
    while page is not None:
        chunk = _chunk(context, wanted, page)
        yield from chunk
        page = Page(page.order, size, chunk[-1][0].index) if len(chunk) == EXPORT_CHUNK else None


def _chunk(context: AuditContext, wanted: EntryFilter, page: Page) -> list[Proven]:
    with reading(context.sessions) as session:
        tiles, known = log_store.tile_reader(session), Known()
        return [
            (entry, inclusion_proof(entry.index, page.size, tiles, known))
            for entry in entry_store.find_entries(session, wanted, page, EXPORT_CHUNK)
        ]
