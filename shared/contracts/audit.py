"""What the audit service is told and what it answers: events, receipts, consent decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from shared.contracts.base import Modality, Purpose, Wire


class Actor(Wire):
    """Who did it. Subjects of people are pseudonyms given by the issuer, not names."""

    issuer: str
    subject: str
    role: str
    client_id: str | None = None
    jti: str | None = None


class AuditObject(Wire):
    """What it was done to: our opaque id, and a keyed commitment to the content (`Pseudonymiser.content`)."""

    kind: str
    """`image`, `note`, `vitals`, `diagnosis`, `consent`, `model`, `audit-query`, …"""
    id: str
    version: str | None = None
    digest: str | None = None


class ConsentBasis(Wire):
    """Which consent an act rested on."""

    decision: Literal["permit", "deny"]
    reason: str
    consent_ids: list[str] = []
    policy_digest: str | None = None
    digest: str | None = None
    """Of everything that was decided on: policy, purpose, modality, and the consents that bear on them by version."""


class AuditEvent(Wire):
    """One entry of the log before it is numbered. It never holds patient data: subjects are pseudonyms, contents are
    digests."""

    schema_version: Literal[1] = 1
    event_id: str = Field(pattern=r"^[0-9a-f-]{36}$")
    """UUIDv7; sending the same event again changes nothing."""
    tenant: str
    producer: str
    """The service that speaks."""
    producer_seq: int | None = Field(default=None, ge=1, le=2**53 - 1)
    """The producer's own count of its events, without a gap; absent where it did not pass through an outbox."""
    type: str
    """`ingest`, `read`, `prediction`, `feedback`, `consent`, `model`, `query`, `delivery`, `access-denied`,
    `break-glass`, `erasure`, `outbox`."""
    subtype: str
    """What exactly, such as `dicom-stored`, `note-read`, `diagnosis-released`."""
    action: Literal["C", "R", "U", "D", "E"]
    """DICOM/BALP action: create, read, update, delete, execute."""
    outcome: Literal["success", "refused", "failure"]
    outcome_reason: str | None = None
    occurred_at: datetime
    actor: Actor
    purpose_of_use: str | None = None
    subject_ref: str | None = None
    """The patient's pseudonym."""
    object: AuditObject | None = None
    consent: ConsentBasis | None = None
    request_id: str | None = None
    details: dict[str, Any] = {}
    """More facts without patient data. Numbers with a fraction go in as decimal strings, so that the canonical form is
    exact."""


class EventBatch(Wire):
    """`POST /internal/audit/events`: answered when all are durable and covered by a signed checkpoint."""

    events: list[AuditEvent] = Field(min_length=1, max_length=1000)


class Sequenced(Wire):
    """Where one event stands in the log."""

    event_id: str
    index: int
    leaf_hash: str
    """Base64 of the RFC 6962 leaf hash."""


class BatchReceipt(Wire):
    """The answer to an `EventBatch`, in its order."""

    sequenced: list[Sequenced]


class Ingest(Wire):
    """That evidence of a patient came, as the log tells of it: by pseudonym, without any content."""

    subject_ref: str
    occurred_at: datetime
    late: bool
    """Whether it was true of the patient long before it came (`shared.intake.PROMPT`), or changed what was."""


class IngestFeed(Wire):
    """`GET /internal/audit/ingests?begin=` (role service): ingests from one entry of the log on, in order."""

    items: list[Ingest]
    next: int
    """`begin` of the next question. Without `begin` nothing is listed, and this is where the log ends."""


class ConsentQuestion(Wire):
    """`POST /internal/audit/consent/decide`: may these modalities of this patient be used for this purpose now?"""

    patient: str
    purpose: Purpose
    modalities: list[Modality]
    actor: Actor | None = None
    """For whom; where it is absent, consents that speak of somebody in particular permit nothing."""


class StoringWords(Wire):
    """`GET /internal/audit/consent/storing` (role service): whose consents say anything of storing at all."""

    unspoken: Literal["permit", "ask"]
    """What holds for all others: their evidence may be stored, or `decide` must be asked for each."""
    subjects: list[str]
    """Pseudonyms of the patients for whom `decide` must be asked."""


class ConsentAnswer(Wire):
    """One decision per modality asked for."""

    decisions: dict[Modality, ConsentBasis]
    epoch: int
    """Grows with every change to this patient's consents: a later different epoch means that the decision may be
    stale."""
