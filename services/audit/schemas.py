"""What crosses the wire of the audit service, beside `shared.contracts.audit`."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.audit.domain.entries import StoredEntry
from services.audit.domain.producers import Producer
from shared.contracts.base import Wire

PLAIN = r"^[^\x00-\x1f\x7f]+$"
"""Text without control characters."""


class Leaf(BaseModel):
    """A leaf as it stands in the log; its keys are those of the log's own version of the format."""

    model_config = ConfigDict(extra="allow")

    event: dict[str, Any]
    received_at: str = Field(alias="receivedAt")


class EntryOut(Wire):
    """One entry of the log."""

    index: int
    leaf_hash: str
    """Base64 of the RFC 6962 leaf hash."""
    leaf: Leaf


class CheckpointOut(Wire):
    """The checkpoint up to which a query looked."""

    size: int
    root: str
    note: str


class EntryPage(Wire):
    """`GET /audit/entries`."""

    checkpoint: CheckpointOut
    items: list[EntryOut]
    next: str | None
    """Send it as `cursor` to go on; null at the end."""


class RetentionOut(Wire):
    """`GET /audit/retention`."""

    years: int | None
    """How long entries must be kept at least; null: for ever."""
    pruning: Literal["off"] = "off"
    oldest: datetime | None
    """When the first entry was received."""
    keep_from: datetime | None
    """Entries received before this are older than the rule asks for."""
    past: int
    """How many those are, the first of the log; they are kept all the same."""


class NumberGap(Wire):
    """Numbers that have not come, both ends included."""

    first: int
    last: int
    found_at: datetime


class ProducerOut(Wire):
    """How far one producer's count of its events has come, and what is missing below."""

    producer: str
    highest: int
    missing: int
    """How many numbers below the highest have not come."""
    gaps: list[NumberGap]
    """Where, oldest first; at most 100."""
    repeated: int
    """Events that came under a number which another had before, as after a restored backup."""
    seen_at: datetime

    @classmethod
    def from_domain(cls, producer: Producer) -> ProducerOut:
        gaps = [NumberGap(first=gap.first, last=gap.last, found_at=gap.found_at) for gap in producer.gaps]
        return cls(
            producer=producer.name, highest=producer.highest, missing=producer.missing, gaps=gaps,
            repeated=producer.repeated, seen_at=producer.seen_at,
        )  # fmt: skip


class ProducerList(Wire):
    """`GET /audit/producers`."""

    items: list[ProducerOut]


def entry_json(entry: StoredEntry) -> bytes:
    """An `EntryOut` with the leaf's very bytes inside, so that a reader can hash them."""
    leaf_hash = base64.b64encode(entry.leaf_hash)
    return b'{"index":%d,"leafHash":"%b","leaf":%b}' % (entry.index, leaf_hash, entry.entry)
