"""Appending to the log and reading from it."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.domain.entries import EntryFilter, Page, Placed, StoredEntry, new_entry
from services.audit.domain.producers import Producer
from services.audit.errors import EventConflict, NoSuchEntry, NoSuchTile
from services.audit.store import entries as entry_store
from services.audit.store import log as log_store
from services.audit.store import producers as producer_store
from services.audit.usecases.witnessed import first_witnessed
from shared.auth import Principal
from shared.contracts.audit import AuditEvent, Ingest, IngestFeed, Sequenced
from shared.database import reading
from shared.tlog.proof import TlogProof, format_proof
from shared.tlog.tiles import HEIGHT, MAX_LEVEL, WIDTH, TileName, encode_bundle, inclusion_proof
from shared.tlog.tree import HASH_BYTES

EXPORT_CHUNK = 500


def submit_events(context: AuditContext, events: Sequence[AuditEvent]) -> Future[tuple[list[Placed], Any]]:
    """Put producers' events in line for the log.

    Raises: MalformedEvent: one of them cannot become a leaf; none was taken.
    """
    entries = [new_entry(event, context.tenant, f"events.{n}") for n, event in enumerate(events)]
    return context.sequencer.submit(entries)


def submit_conflict(
    context: AuditContext, principal: Principal, events: Sequence[AuditEvent], conflict: EventConflict, request_id: str
) -> Future[tuple[list[Placed], Any]]:
    """Put in line that a producer sent another event under a known id. The same conflict again is the same event."""
    event_id = str(conflict.extra["eventId"])
    second = next(event for event in reversed(events) if event.event_id == event_id)
    digest = new_entry(second, context.tenant).digest
    event = context.events.event(
        principal, "integrity", "event-conflict", "C", outcome="refused", reason="another event has this id",
        kind="event", object_id=event_id, request_id=request_id, event_id=str(uuid.UUID(bytes=digest[:16])),
        details={"producer": second.producer},
    )  # fmt: skip
    return context.sequencer.submit([new_entry(event, context.tenant)])


def sequenced(events: Sequence[AuditEvent], placed: Sequence[Placed]) -> list[Sequenced]:
    """Places as the producers are told them, in their order."""
    return [
        Sequenced(event_id=event.event_id, index=place.index, leaf_hash=base64.b64encode(place.leaf_hash).decode())
        for event, place in zip(events, placed, strict=True)
    ]


def newest_checkpoint(session: Session) -> log_store.SignedCheckpoint:
    """The newest signed checkpoint.

    Raises: NoSuchEntry: nothing was ever signed.
    """
    checkpoint = log_store.latest_checkpoint(session)
    if checkpoint is None:
        raise NoSuchEntry("This log has not signed a checkpoint yet.")
    return checkpoint


def checkpoint_of(session: Session, size: int) -> log_store.SignedCheckpoint:
    """The signed checkpoint of this size.

    Raises: NoSuchEntry: nothing was signed at this size.
    """
    checkpoint = log_store.checkpoint_of(session, size)
    if checkpoint is None:
        raise NoSuchEntry("This log never signed a checkpoint of this size.")
    return checkpoint


def record_query(
    context: AuditContext,
    principal: Principal,
    subtype: str,
    details: dict[str, Any],
    request_id: str,
    subject_ref: str | None = None,
) -> None:
    """Log who asks the log what, and about which patient; returns when that is durable, so that no answer leaves
    before it."""
    event = context.events.event(principal, "query", subtype, "E", request_id=request_id, details=details)
    context.record([event.model_copy(update={"subject_ref": subject_ref})])


def find_entries(context: AuditContext, wanted: EntryFilter, page: Page, limit: int) -> list[StoredEntry]:
    """One page of matching entries."""
    with reading(context.sessions) as session:
        return entry_store.find_entries(session, wanted, page, limit)


def export_entries(context: AuditContext, wanted: EntryFilter, page: Page) -> Iterator[StoredEntry]:
    """All matching entries from a page on, read in chunks so that no transaction outlives one."""
    while chunk := find_entries(context, wanted, page, EXPORT_CHUNK):
        yield from chunk
        page = Page(page.order, page.size, chunk[-1].index)


def list_producers(context: AuditContext) -> list[Producer]:
    """Every producer that counts its events, by name."""
    with reading(context.sessions) as session:
        return producer_store.all_producers(session)


def list_ingests(context: AuditContext, begin: int | None) -> IngestFeed:
    """Successful ingests of a patient's evidence from one entry on, at most `EXPORT_CHUNK` of them, oldest first."""
    with reading(context.sessions) as session:
        checkpoint = log_store.latest_checkpoint(session)
        size = checkpoint.size if checkpoint else 0
        if begin is None or begin >= size:
            return IngestFeed(items=[], next=size if begin is None else begin)
        wanted = EntryFilter(type="ingest", outcome="success", first_index=begin)
        found = entry_store.find_entries(session, wanted, Page("oldest", size), EXPORT_CHUNK)
    leaves = [json.loads(stored.entry)["event"] for stored in found]
    items = [
        Ingest(
            subject_ref=event["subjectRef"],
            occurred_at=event["occurredAt"],
            late=event.get("details", {}).get("late", False),
        )
        for event in leaves
        if "subjectRef" in event
    ]
    return IngestFeed(items=items, next=found[-1].index + 1 if len(found) == EXPORT_CHUNK else size)


def get_entry(context: AuditContext, index: int) -> StoredEntry:
    """One entry.

    Raises: NoSuchEntry: no signed checkpoint covers this index.
    """
    with reading(context.sessions) as session:
        if index >= newest_checkpoint(session).size:
            raise NoSuchEntry("The log has no such entry yet.")
        entry = entry_store.find_entry(session, index)
    if entry is None:
        raise NoSuchEntry("The log has lost this entry.")
    return entry


def make_receipt(context: AuditContext, index: int, witnessed: bool = False) -> str:
    """The `tlog-proof` of an entry, with the entry in its extra line. Asked again, it is the same.

    Args: witnessed: with a checkpoint that a quorum of the witnesses has cosigned.
    Raises: NoSuchEntry: no such checkpoint covers this index.
    """
    with reading(context.sessions) as session:
        covering = log_store.covering_checkpoint(session, index)
        checkpoint = first_witnessed(context, session, index) if witnessed else covering
        entry = entry_store.find_entry(session, index)
        if checkpoint is None or entry is None:
            raise NoSuchEntry("The log has no such entry yet.")
        hashes = inclusion_proof(index, checkpoint.size, log_store.tile_reader(session))
    return format_proof(TlogProof(index, tuple(hashes), checkpoint.note, entry.entry))


def read_tile(context: AuditContext, level: int, name: TileName) -> bytes:
    """The hashes of a tile.

    Raises: NoSuchTile: the newest signed checkpoint does not cover it.
    """
    with reading(context.sessions) as session:
        _check_covered(session, level, name)
        return log_store.read_tile(session, level, name.n)[: name.width * HASH_BYTES]


def read_bundle(context: AuditContext, name: TileName) -> bytes:
    """The entries of a bundle, length-prefixed.

    Raises: NoSuchTile: the newest signed checkpoint does not cover it.
    """
    with reading(context.sessions) as session:
        _check_covered(session, 0, name)
        start = name.n * WIDTH
        return encode_bundle(entry_store.range_of_entries(session, start, start + name.width))


def _check_covered(session: Session, level: int, name: TileName) -> None:
    checkpoint = log_store.latest_checkpoint(session)
    size = checkpoint.size if checkpoint else 0
    if level > MAX_LEVEL or name.n * WIDTH + name.width > size >> HEIGHT * level:
        raise NoSuchTile("The newest checkpoint does not cover this tile.")
