"""Consent as one pure function over the versions of a patient's consents.

For each modality the latest consent that names it decides, among those of the purpose asked about whose period has
begun. It permits or denies as it says; withdrawn, it denies; expired, it is as though there were none, and the
purpose's rule decides: `opt-in` denies (the default for every purpose), `opt-out` permits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.contracts.base import Modality, Purpose
from shared.digests import digest_json

Decision = Literal["permit", "deny"]


@dataclass(frozen=True)
class Consent:
    """The newest version of one consent."""

    id: str
    version: int
    patient: str
    subject_ref: str
    decision: Decision
    purpose: Purpose
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


@dataclass(frozen=True)
class Policy:
    """What counts for a purpose without a consent: the purposes listed are `opt-out`, all others `opt-in`."""

    opt_out: frozenset[Purpose] = frozenset()

    @classmethod
    def from_rules(cls, rules: Mapping[str, str]) -> Policy:
        """Read `{"TREAT": "opt-out"}`. Raises: ValueError: an unknown purpose or rule."""
        unknown = set(rules.values()) - {"opt-in", "opt-out"}
        if unknown:
            raise ValueError(f"consent rules are opt-in or opt-out, not {sorted(unknown)}")
        return cls(frozenset(Purpose(purpose) for purpose, rule in rules.items() if rule == "opt-out"))

    @property
    def digest(self) -> str:
        """Names this policy in every decision made under it."""
        rules = {str(p): "opt-out" if p in self.opt_out else "opt-in" for p in Purpose}
        return digest_json({"consentPolicy": 1, "rules": rules})


@dataclass(frozen=True)
class Verdict:
    """Whether one modality may be used, why, and which consent says so."""

    decision: Decision
    reason: str
    consent_id: str | None = None


def decide(
    consents: Iterable[Consent], purpose: Purpose, modalities: Sequence[Modality], now: datetime, policy: Policy
) -> dict[Modality, Verdict]:
    """One verdict per modality, from the newest versions of all of one patient's consents."""
    begun = [c for c in consents if c.purpose == purpose and (c.start is None or c.start <= now)]
    latest_first = sorted(begun, key=lambda consent: consent.given_index, reverse=True)
    verdicts = {}
    for modality in modalities:
        deciding = next((consent for consent in latest_first if modality in consent.modalities), None)
        verdicts[modality] = _verdict(deciding, purpose, now, policy)
    return verdicts


def _verdict(consent: Consent | None, purpose: Purpose, now: datetime, policy: Policy) -> Verdict:
    if consent is None:
        return _by_policy("no consent for this purpose and modality", None, purpose, policy)
    if consent.withdrawn:
        return Verdict("deny", "the consent was withdrawn", consent.id)
    if consent.end is not None and consent.end <= now:
        return _by_policy("the consent has expired", consent.id, purpose, policy)
    reason = "the patient permits it" if consent.decision == "permit" else "the patient denies it"
    return Verdict(consent.decision, reason, consent.id)


def _by_policy(why: str, consent_id: str | None, purpose: Purpose, policy: Policy) -> Verdict:
    if purpose in policy.opt_out:
        return Verdict("permit", f"{why}; the policy for {purpose} is opt-out", consent_id)
    return Verdict("deny", f"{why}; the policy for {purpose} is opt-in", consent_id)
