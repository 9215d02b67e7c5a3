"""Writes audit events the same way in every service: who, what, to which pseudonym, with which outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.auth import Principal, Role
from shared.clock import Clock, utc_now
from shared.contracts.audit import Actor, AuditEvent, AuditObject, ConsentBasis
from shared.ids import uuid7
from shared.pseudonyms import Pseudonymiser
from shared.settings import CommonSettings


@dataclass(frozen=True)
class EventWriter:
    """Makes the audit events of one service. It turns patient identifiers and content digests into pseudonyms on the
    way."""

    producer: str
    tenant: str
    pseudonyms: Pseudonymiser
    clock: Clock = utc_now

    @classmethod
    def from_settings(cls, producer: str, settings: CommonSettings) -> EventWriter:
        """The writer of one service of this suite."""
        return cls(producer, settings.tenant, Pseudonymiser.from_file(settings.pseudonym_key_file))

    def event(
        self,
        principal: Principal | None,
        type_: str,
        subtype: str,
        action: Literal["C", "R", "U", "D", "E"],
        *,
        outcome: Literal["success", "refused", "failure"] = "success",
        reason: str | None = None,
        patient: str | None = None,
        subject_ref: str | None = None,
        kind: str | None = None,
        object_id: str | None = None,
        digest: str | None = None,
        purpose: str | None = None,
        consent: ConsentBasis | None = None,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
        event_id: str | None = None,
    ) -> AuditEvent:
        """One event, now. `principal` None means that the service acts by itself.

        `subject_ref` is the pseudonym, where that is all that is known of the patient. `digest` is the content
        address; the event gets only a keyed commitment to it. `event_id` makes a repeatable
        act's event the same each time.
        """
        obj = (
            AuditObject(kind=kind, id=object_id or "", digest=self.pseudonyms.content(digest) if digest else None)
            if kind
            else None
        )
        return AuditEvent(
            event_id=event_id or uuid7(),
            tenant=self.tenant,
            producer=self.producer,
            type=type_,
            subtype=subtype,
            action=action,
            outcome=outcome,
            outcome_reason=reason,
            occurred_at=self.clock(),
            actor=_actor(principal, self.producer),
            purpose_of_use=purpose,
            subject_ref=self.pseudonyms.patient(self.tenant, patient) if patient is not None else subject_ref,
            object=obj,
            consent=consent,
            request_id=request_id,
            details=dict(details or {}),
        )


def _actor(principal: Principal | None, producer: str) -> Actor:
    if principal is None:
        return Actor(issuer="consilium", subject=producer, role=Role.SERVICE)
    return actor_of(principal)


def actor_of(principal: Principal) -> Actor:
    """A caller as events and questions of consent name them."""
    return Actor(
        issuer=principal.issuer,
        subject=principal.subject,
        role=principal.role,
        client_id=principal.client_id,
        jti=principal.jti,
    )
