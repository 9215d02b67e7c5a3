"""Breaking the glass: a person opens what a patient's consents deny, for a short time, and another person looks at it.

An access is no consent and changes none. It counts only where somebody asks for an emergency purpose expressly, only
for who opened it, and not where the patient has expressly denied that very purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from services.audit.domain.consent import Consent, Policy, Request, Verdict, decide
from shared.contracts.audit import Actor
from shared.contracts.base import Modality, Purpose
from shared.digests import digest_json

EMERGENCIES = frozenset({Purpose.BTG, Purpose.ETREAT})
Finding = Literal["justified", "unjustified"]
State = Literal["open", "overdue", "reviewed"]
NO_DENIAL = Policy(frozenset(Purpose))
"""Under it only an express denial denies."""


@dataclass(frozen=True)
class Review:
    """What another person made of an access."""

    finding: Finding
    comment: str | None
    issuer: str
    subject: str
    at: datetime
    index: int


@dataclass(frozen=True)
class Access:
    """One access: who opened what of whom, why, and until when."""

    id: str
    patient: str
    subject_ref: str
    purpose: Purpose
    modalities: tuple[Modality, ...]
    reason: str
    issuer: str
    subject: str
    opened_at: datetime
    expires_at: datetime
    review_due_at: datetime
    index: int
    """Log index of the event that tells of it."""
    review: Review | None = None

    def state(self, now: datetime) -> State:
        """Whether somebody has still to look at it."""
        if self.review is not None:
            return "reviewed"
        return "overdue" if self.review_due_at <= now else "open"

    def opens(self, purpose: Purpose, modality: Modality, actor: Actor | None, now: datetime) -> bool:
        """Whether it lets this person use that modality for that purpose now."""
        who = (actor.issuer, actor.subject) if actor else None
        asked = purpose is self.purpose and modality in self.modalities and who == (self.issuer, self.subject)
        return asked and self.opened_at <= now < self.expires_at


def decide_emergency(
    consents: Sequence[Consent], accesses: Iterable[Access], request: Request, now: datetime, policy: Policy
) -> dict[Modality, Verdict]:
    """One verdict per modality: as for treatment, and beyond it what an open access opens."""
    opened = list(accesses)
    ordinary = decide(consents, replace(request, purpose=Purpose.TREAT), now, policy)
    express = decide(consents, request, now, NO_DENIAL)
    return {
        modality: _verdict(modality, ordinary[modality], express[modality], opened, request, now)
        for modality in request.modalities
    }


def _verdict(
    modality: Modality, ordinary: Verdict, express: Verdict, accesses: list[Access], request: Request, now: datetime
) -> Verdict:
    access = next((one for one in accesses if one.opens(request.purpose, modality, request.actor, now)), None)
    if express.decision == "deny":
        return express
    if ordinary.decision == "permit" or access is None:
        return ordinary
    digest = digest_json({"breakGlass": 1, "access": access.id, "instead": ordinary.digest})
    return Verdict("permit", "the glass was broken; another person has to review it", access.id, digest)
