"""Consent as one pure function over the versions of a patient's consents.

For each modality the latest consent decides that names the modality and the purpose, speaks of whoever asks, and whose
period has begun. It permits or denies as it says, except where one of its exceptions says the opposite; withdrawn, it
denies. Expired, it leaves the purpose's rule (`opt-in` denies, `opt-out` permits) and whatever older denial still
stands. Who is not known is never among the recipients of a permission, and always among those of a denial.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared.clock import rfc3339
from shared.contracts.audit import Actor
from shared.contracts.base import Modality, Purpose
from shared.digests import digest_json

Decision = Literal["permit", "deny"]
OPT_OUT_UNLESS_SET = frozenset({Purpose.RECORDMGT})
"""Without a rule of the site, what comes is stored; nothing else is done with it unless somebody permits it."""


@dataclass(frozen=True)
class Recipient:
    """Whom a consent speaks of: everything that is given must be true of whoever asks."""

    role: str | None = None
    subject: str | None = None
    client_id: str | None = None

    def is_same(self, actor: Actor) -> bool:
        """Whether the asking actor is the one meant."""
        asked = {"role": actor.role, "subject": actor.subject, "client_id": actor.client_id}
        return all(asked[name] == wanted for name, wanted in vars(self).items() if wanted is not None)


@dataclass(frozen=True)
class Provision:
    """An exception of a consent, with the opposite decision. What it leaves empty is as in the consent."""

    decision: Decision
    purposes: tuple[Purpose, ...] = ()
    modalities: tuple[Modality, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    """The first moment at which it no longer holds."""


@dataclass(frozen=True)
class Consent:
    """One version of one consent."""

    id: str
    version: int
    patient: str
    subject_ref: str
    decision: Decision
    purposes: tuple[Purpose, ...]
    modalities: tuple[Modality, ...]
    start: datetime | None
    end: datetime | None
    """The first moment at which it no longer holds."""
    withdrawn: bool
    given_index: int
    """Log index of its first version: the order among consents."""
    index: int
    """Log index of this version."""
    given_at: datetime
    recorded_at: datetime
    recipients: tuple[Recipient, ...] = ()
    """Whom it speaks of; empty: everybody."""
    exceptions: tuple[Provision, ...] = ()
    policy_uri: str | None = None
    """The policy that it was given under."""
    source_digest: str | None = None
    """SHA-256 of the document that the patient signed."""

    @property
    def effect(self) -> Decision:
        """What it comes to now, exceptions aside."""
        return "deny" if self.withdrawn else self.decision

    def may_narrow(self, now: datetime) -> bool:
        """Whether it may deny now what was permitted before it was given."""
        return self.effect == "deny" or bool(self.exceptions) or _is_over(self.end, now)


@dataclass(frozen=True)
class Request:
    """What would be done, and for whom. `actor` None: nobody knows."""

    purpose: Purpose
    modalities: Sequence[Modality]
    actor: Actor | None = None


@dataclass(frozen=True)
class Policy:
    """What counts for a purpose without a consent: the purposes listed are `opt-out`, all others `opt-in`."""

    opt_out: frozenset[Purpose] = OPT_OUT_UNLESS_SET

    @classmethod
    def from_rules(cls, rules: Mapping[str, str]) -> Policy:
        """Read `{"TREAT": "opt-out"}`. Raises: ValueError: an unknown purpose or rule."""
        unknown = set(rules.values()) - {"opt-in", "opt-out"}
        if unknown:
            raise ValueError(f"consent rules are opt-in or opt-out, not {sorted(unknown)}")
        given = {Purpose(purpose): rule for purpose, rule in rules.items()}
        return cls(frozenset(p for p in Purpose if given.get(p, _unless_set(p)) == "opt-out"))

    @property
    def digest(self) -> str:
        """Names this policy in every decision made under it."""
        rules = {str(p): "opt-out" if p in self.opt_out else "opt-in" for p in Purpose}
        return digest_json({"consentPolicy": 1, "rules": rules})


@dataclass(frozen=True)
class Verdict:
    """Whether one modality may be used, why, which consent says so, and what it was decided on."""

    decision: Decision
    reason: str
    consent_id: str | None
    digest: str
    """Of the policy and of all consents that bear on it, each with its version: the same until one of them changes."""


def decide(consents: Iterable[Consent], request: Request, now: datetime, policy: Policy) -> dict[Modality, Verdict]:
    """One verdict per modality, from the newest versions of all of one patient's consents."""
    latest_first = sorted(consents, key=lambda consent: consent.given_index, reverse=True)
    verdicts = {}
    for modality in request.modalities:
        bearing = [c for c in latest_first if request.purpose in c.purposes and modality in c.modalities]
        decision, reason, consent_id = _decide(bearing, request, modality, now, policy)
        verdicts[modality] = Verdict(decision, reason, consent_id, _digest(bearing, request, modality, policy))
    return verdicts


def _decide(
    latest_first: Sequence[Consent], request: Request, modality: Modality, now: datetime, policy: Policy
) -> tuple[Decision, str, str | None]:
    expired: Consent | None = None
    for consent in latest_first:
        if not _has_begun(consent.start, now) or not _may_mean(consent.recipients, request.actor):
            continue
        if not consent.withdrawn and _is_over(consent.end, now):
            expired = expired or consent
            continue
        decision, reason = _word_of(consent, request, modality, now)
        if consent.recipients and request.actor is None:
            if consent.effect == decision == "permit":
                continue
            decision, reason = "deny", "a consent denies it to somebody, and it is not known who asks"
        if expired is None or decision == "deny":
            return decision, reason, consent.id
        break
    return _by_policy(expired, request.purpose, policy)


def _word_of(consent: Consent, request: Request, modality: Modality, now: datetime) -> tuple[Decision, str]:
    if consent.withdrawn:
        return "deny", "the consent was withdrawn"
    if any(_is_excepted(exception, request, modality, now) for exception in consent.exceptions):
        excepted: Decision = "deny" if consent.decision == "permit" else "permit"
        return excepted, f"an exception of the patient's consent {_THIRD_PERSON[excepted]} it"
    return consent.decision, f"the patient {_THIRD_PERSON[consent.decision]} it"


_THIRD_PERSON = {"permit": "permits", "deny": "denies"}


def _is_excepted(exception: Provision, request: Request, modality: Modality, now: datetime) -> bool:
    return (
        (not exception.purposes or request.purpose in exception.purposes)
        and (not exception.modalities or modality in exception.modalities)
        and _has_begun(exception.start, now)
        and not _is_over(exception.end, now)
        and _may_mean(exception.recipients, request.actor)
        and not (exception.recipients and request.actor is None and exception.decision == "permit")
    )


def _may_mean(recipients: Sequence[Recipient], actor: Actor | None) -> bool:
    return not recipients or actor is None or any(recipient.is_same(actor) for recipient in recipients)


def _has_begun(start: datetime | None, now: datetime) -> bool:
    return start is None or start <= now


def _is_over(end: datetime | None, now: datetime) -> bool:
    return end is not None and end <= now


def _by_policy(expired: Consent | None, purpose: Purpose, policy: Policy) -> tuple[Decision, str, str | None]:
    why = "the consent has expired" if expired else "no consent for this purpose and modality"
    consent_id = expired.id if expired else None
    if purpose in policy.opt_out:
        return "permit", f"{why}; the policy for {purpose} is opt-out", consent_id
    return "deny", f"{why}; the policy for {purpose} is opt-in", consent_id


def _unless_set(purpose: Purpose) -> str:
    return "opt-out" if purpose in OPT_OUT_UNLESS_SET else "opt-in"


def _digest(bearing: Sequence[Consent], request: Request, modality: Modality, policy: Policy) -> str:
    # Versions are never changed, so that id and version name a content; the log has a commitment to each.
    versions = [[consent.id, consent.version] for consent in bearing]
    asked = {"purpose": request.purpose, "modality": modality}
    return digest_json({"consentDecision": 1, "policy": policy.digest, "consents": versions, **asked})


def content_of(consent: Consent) -> dict[str, Any]:
    """What one version says, as JSON: what the log holds a commitment to."""
    return {
        "patient": consent.patient,
        "decision": consent.decision,
        "purposes": [str(purpose) for purpose in consent.purposes],
        "modalities": [str(modality) for modality in consent.modalities],
        "recipients": [recipient_json(recipient) for recipient in consent.recipients],
        "exceptions": [provision_json(exception) for exception in consent.exceptions],
        "start": rfc3339(consent.start) if consent.start else None,
        "end": rfc3339(consent.end) if consent.end else None,
        "policyUri": consent.policy_uri,
        "sourceDigest": consent.source_digest,
        "withdrawn": consent.withdrawn,
    }


def recipient_json(recipient: Recipient) -> dict[str, str]:
    """A recipient as rows and digests hold it."""
    return {name: value for name, value in vars(recipient).items() if value is not None}


def provision_json(provision: Provision) -> dict[str, Any]:
    """An exception as rows and digests hold it."""
    return {
        "decision": provision.decision,
        "purposes": [str(purpose) for purpose in provision.purposes],
        "modalities": [str(modality) for modality in provision.modalities],
        "recipients": [recipient_json(recipient) for recipient in provision.recipients],
        "start": rfc3339(provision.start) if provision.start else None,
        "end": rfc3339(provision.end) if provision.end else None,
    }


def provision_from_json(data: Mapping[str, Any]) -> Provision:
    """The exception that `provision_json` wrote."""
    return Provision(
        decision="permit" if data["decision"] == "permit" else "deny",
        purposes=tuple(Purpose(value) for value in data["purposes"]),
        modalities=tuple(Modality(value) for value in data["modalities"]),
        recipients=tuple(Recipient(**value) for value in data["recipients"]),
        start=datetime.fromisoformat(data["start"]) if data["start"] else None,
        end=datetime.fromisoformat(data["end"]) if data["end"] else None,
    )
