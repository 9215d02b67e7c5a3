"""What crosses the wire of the audit service, beside `shared.contracts.audit`."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from services.audit.domain.entries import StoredEntry
from services.audit.domain.producers import Producer
from services.audit.domain.registry import BundleChange, Stage
from services.audit.usecases.registry import StagedBundle
from shared.contracts.base import Wire
from shared.digests import canonical_json

PLAIN = r"^[^\x00-\x1f\x7f]+$"
"""Text without control characters."""
MAX_CARD_BYTES = 1_000_000


class ModelIn(Wire):
    """`POST /models`."""

    name: str = Field(min_length=1, max_length=100, pattern=PLAIN)
    version: str = Field(min_length=1, max_length=100, pattern=PLAIN)
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    """Content address of the bundle's files."""
    card: dict[str, Any]
    """The model card, as JSON."""

    @field_validator("card")
    @classmethod
    def _plain_json(cls, card: dict[str, Any]) -> dict[str, Any]:
        try:
            size = len(canonical_json(card))
        except (rfc8785.CanonicalizationError, UnicodeError) as error:
            raise ValueError("a card holds finite numbers, integers within 2^53 and valid Unicode text") from error
        if size > MAX_CARD_BYTES:
            raise ValueError(f"a card has at most {MAX_CARD_BYTES} bytes")
        return card


class PromoteIn(Wire):
    """`POST /models/{id}/promote`."""

    stage: Stage


class StageChange(Wire):
    """One logged change of a bundle's stage."""

    index: int
    change: BundleChange
    at: datetime
    actor: str


class ModelSummary(Wire):
    """A bundle in the list."""

    id: str
    name: str
    version: str
    digest: str
    stage: Stage
    registered_at: datetime
    history: list[StageChange]

    @classmethod
    def from_domain(cls, staged: StagedBundle) -> ModelSummary:
        bundle = staged.bundle
        return cls(
            id=bundle.id, name=bundle.name, version=bundle.version, digest=bundle.digest, stage=staged.stage,
            registered_at=bundle.registered_at,
            history=[StageChange(index=e.index, change=e.change, at=e.at, actor=e.actor) for e in staged.history],
        )  # fmt: skip


class ModelList(Wire):
    """`GET /models`."""

    items: list[ModelSummary]


class Card(RootModel[dict[str, Any]]):
    """`GET /models/{id}/card`: the card as it was registered."""


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
