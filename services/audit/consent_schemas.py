"""What crosses the wire about consents, beside `shared.contracts.audit`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from services.audit.domain.consent import Consent, Provision, Recipient
from services.audit.schemas import PLAIN
from services.audit.usecases.consents import NewConsent
from shared.auth import Role
from shared.contracts.base import Modality, Moment, Purpose, Wire

PatientId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=PLAIN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PLAIN)]
Uri = Annotated[str, StringConstraints(max_length=1000, pattern=r"^(https?://|urn:)[\x21-\x7e]+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Decision = Literal["permit", "deny"]
T = TypeVar("T")
MOST_EXCEPTIONS = 20


def _at_most_once(items: list[T]) -> list[T]:
    return list(dict.fromkeys(items))


Purposes = Annotated[list[Purpose], Field(max_length=20), AfterValidator(_at_most_once)]
Modalities = Annotated[list[Modality], Field(max_length=20), AfterValidator(_at_most_once)]


class Period(Wire):
    """When a consent holds: from `start` on, up to and without `end`; either may be absent."""

    start: Moment | None = None
    end: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Period:
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError("the period's end must be after its start")
        return self

    @classmethod
    def of(cls, start: datetime | None, end: datetime | None) -> Period | None:
        """The period between two times; None where there is neither."""
        return cls(start=start, end=end) if start or end else None


class ConsentActor(Wire):
    """Whom a consent speaks of; what is given must all be true of whoever asks."""

    role: Role | None = None
    subject: Name | None = None
    """`sub` of their token."""
    client_id: Name | None = None
    """`client_id` of their token."""

    @model_validator(mode="after")
    def _somebody(self) -> ConsentActor:
        if self.role is None and self.subject is None and self.client_id is None:
            raise ValueError("an actor needs a role, a subject or a clientId; leave actors out to mean everybody")
        if self.subject is not None and self.client_id is not None:
            raise ValueError("an actor has a subject or a clientId, not both")
        return self

    def to_domain(self) -> Recipient:
        return Recipient(self.role.value if self.role else None, self.subject, self.client_id)

    @classmethod
    def from_domain(cls, recipient: Recipient) -> ConsentActor:
        role = Role(recipient.role) if recipient.role else None
        return cls(role=role, subject=recipient.subject, client_id=recipient.client_id)


Actors = Annotated[list[ConsentActor], Field(max_length=50)]


class ConsentException(Wire):
    """An exception, with the opposite decision of its consent's. What is left out is as in the consent."""

    decision: Decision
    purposes: Purposes = []
    modalities: Modalities = []
    actors: Actors = []
    period: Period | None = None

    def to_domain(self) -> Provision:
        period = self.period or Period()
        recipients = tuple(actor.to_domain() for actor in self.actors)
        return Provision(
            self.decision, tuple(self.purposes), tuple(self.modalities), recipients, period.start, period.end
        )

    @classmethod
    def from_domain(cls, exception: Provision) -> ConsentException:
        return cls(
            decision=exception.decision, purposes=list(exception.purposes), modalities=list(exception.modalities),
            actors=[ConsentActor.from_domain(recipient) for recipient in exception.recipients],
            period=Period.of(exception.start, exception.end),
        )  # fmt: skip


class ConsentIn(Wire):
    """`POST /consents`: one purpose in `purpose`, or several in `purposes`."""

    patient: PatientId
    decision: Decision
    purpose: Purpose | None = None
    purposes: Purposes = []
    modalities: Annotated[Modalities, Field(min_length=1)]
    period: Period | None = None
    actors: Actors = []
    """Whom it speaks of; empty: everybody."""
    exceptions: list[ConsentException] = Field(default=[], max_length=MOST_EXCEPTIONS)
    policy_uri: Uri | None = None
    """The policy that it was given under."""
    source_digest: Sha256 | None = None
    """Of the document that the patient signed."""

    @model_validator(mode="after")
    def _one_way(self) -> ConsentIn:
        if (self.purpose is None) == (not self.purposes):
            raise ValueError("send one purpose in `purpose`, or several in `purposes`")
        return self

    @model_validator(mode="after")
    def _opposite(self) -> ConsentIn:
        if any(exception.decision == self.decision for exception in self.exceptions):
            raise ValueError("an exception decides the opposite of its consent")
        return self

    @model_validator(mode="after")
    def _within(self) -> ConsentIn:
        purposes = {self.purpose} if self.purpose else set(self.purposes)
        for exception in self.exceptions:
            if not (purposes >= set(exception.purposes) and set(self.modalities) >= set(exception.modalities)):
                raise ValueError("an exception names only purposes and modalities of its consent")
        return self

    def to_domain(self) -> NewConsent:
        period = self.period or Period()
        return NewConsent(
            patient=self.patient,
            decision=self.decision,
            purposes=(self.purpose,) if self.purpose else tuple(self.purposes),
            modalities=tuple(self.modalities),
            start=period.start,
            end=period.end,
            recipients=tuple(actor.to_domain() for actor in self.actors),
            exceptions=tuple(exception.to_domain() for exception in self.exceptions),
            policy_uri=self.policy_uri,
            source_digest=self.source_digest,
        )


class ConsentOut(Wire):
    """One version of a consent."""

    id: str
    version: int
    patient: str
    subject_ref: str
    """The patient's pseudonym in the log."""
    status: Literal["active", "scheduled", "expired", "withdrawn"]
    decision: Decision
    purpose: Purpose
    """The first of `purposes`."""
    purposes: list[Purpose]
    modalities: list[Modality]
    period: Period | None
    actors: list[ConsentActor]
    exceptions: list[ConsentException]
    policy_uri: str | None
    source_digest: str | None
    given_at: datetime
    recorded_at: datetime
    index: int
    """Log index of the event that tells of this version."""

    @classmethod
    def from_domain(cls, consent: Consent, now: datetime) -> ConsentOut:
        return cls(
            id=consent.id, version=consent.version, patient=consent.patient, subject_ref=consent.subject_ref,
            status=_status(consent, now), decision=consent.decision, purpose=consent.purposes[0],
            purposes=list(consent.purposes), modalities=list(consent.modalities),
            period=Period.of(consent.start, consent.end),
            actors=[ConsentActor.from_domain(recipient) for recipient in consent.recipients],
            exceptions=[ConsentException.from_domain(exception) for exception in consent.exceptions],
            policy_uri=consent.policy_uri, source_digest=consent.source_digest, given_at=consent.given_at,
            recorded_at=consent.recorded_at, index=consent.index,
        )  # fmt: skip


class ConsentList(Wire):
    """`GET /consents?patient=`: oldest first."""

    items: list[ConsentOut]
    epoch: int
    """Grows with every change to this patient's consents."""


class ConsentSearch(Wire):
    """`POST /consents/search`."""

    patient: PatientId


class ConsentHistory(Wire):
    """`GET /consents/{id}/versions`: the first version first."""

    items: list[ConsentOut]


def _status(consent: Consent, now: datetime) -> Literal["active", "scheduled", "expired", "withdrawn"]:
    if consent.withdrawn:
        return "withdrawn"
    if consent.start is not None and consent.start > now:
        return "scheduled"
    if consent.end is not None and consent.end <= now:
        return "expired"
    return "active"
