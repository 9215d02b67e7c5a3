"""Which patients may be used for research: those whose active consent names it, and nobody else.

FHIR R4 `Consent`: a provision permits or denies, and provisions inside it are its exceptions. What cannot be judged
here is judged for the patient: a permission that is limited to some actors, data, classes or codes is none, and one
active denial outweighs every permission.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.diagnosis.datasets.base import Place
from services.diagnosis.datasets.hospital.elements import codings, instant, items, part
from services.diagnosis.datasets.hospital.export import Json, Resource

ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
RESEARCH = "HRESCH"
SCOPES = frozenset({"research", "patient-privacy"})
LIMITS = ("actor", "data", "class", "code", "securityLabel")
DAY_S = 24 * 3600


@dataclass(frozen=True)
class Decision:
    """What one consent says of research."""

    permit: bool
    data_from: float | None = None
    """Only data after it; seconds since 1970."""
    data_until: float | None = None


def decision_of(consent: Resource, now: float) -> Decision | None:
    """What an active consent says of research at a time; None where it says nothing.

    Raises: DatasetError: a period that is no time.
    """
    content = consent.content
    if content.get("status") != "active" or not SCOPES & {code for _, code in codings(content.get("scope"))}:
        return None
    provision = content.get("provision")
    return _judge(consent.place, provision, now) if isinstance(provision, dict) else None


def _judge(place: Place, provision: Json, now: float) -> Decision | None:
    exceptions = [found for inner in items(provision.get("provision")) if (found := _judge(place, inner, now))]
    if exceptions:
        return next((item for item in exceptions if not item.permit), exceptions[0])
    start, end = _period(place, provision.get("period"))
    if (start is not None and now < start) or (end is not None and now > end):
        return None
    purposes = {(str(item.get("system", "")), str(item.get("code", ""))) for item in items(provision.get("purpose"))}
    named = (ACT_REASON, RESEARCH) in purposes
    if provision.get("type") == "deny" and (named or not purposes):
        return Decision(permit=False)
    if provision.get("type") == "permit" and named and not any(provision.get(limit) for limit in LIMITS):
        return Decision(True, *_period(place, provision.get("dataPeriod")))
    return None


def _period(place: Place, period: object) -> tuple[float | None, float | None]:
    """Both ends; a day alone begins at its midnight, and as an end lasts until the next."""
    return _end(place, part(period, "start"), 0), _end(place, part(period, "end"), DAY_S)


def _end(place: Place, value: object, added_s: int) -> float | None:
    if isinstance(value, str) and len(value) in (4, 7, 10):
        whole = f"{value}{'-01-01'[len(value) - 4 :]}T00:00:00+00:00"
        began = instant(place, "Consent.provision.period", whole)
        # Of a month or year, only its first day counts as an end: sooner is safer.
        return None if began is None else began + added_s
    return instant(place, "Consent.provision.period", value)
