"""Where a result comes from: which model made it of what, and which clinicians have looked at it."""

from __future__ import annotations

from collections.abc import Sequence

from services.ehr.domain import available_at, updated_at
from services.ehr.fhir.reading import Json
from services.ehr.fhir.search import Pairs
from services.ehr.fhir.vocabulary import meta, model_device, moment, own
from shared.contracts.diagnosis import DiagnosisOut, Review, Source

PARTICIPANTS = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
OPERATIONS = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
TARGETS = ("DiagnosticReport", "RiskAssessment")
_REFERENCES = {Source.NOTE: "DocumentReference"}


def provenance(result: DiagnosisOut, reviews: Sequence[Review]) -> Json:
    """The Provenance of a finished result; its id is the result's.

    The model is the author (a contained Device) and labels what it made AIAST. Whoever accepted the result is a
    verifier; whoever overrode it looked at it and is none.
    """
    if result.model is None or result.case is None:
        raise ValueError("only a finished result has a model and a case")
    made: Json = {
        "resourceType": "Provenance",
        "id": result.id,
        "meta": meta(updated_at(result)),
        "contained": [model_device(result.model)],
        "target": [{"reference": f"{kind}/{result.id}"} for kind in TARGETS],
        "occurredDateTime": moment(available_at(result)),
        "recorded": moment(available_at(result)),
        "activity": {"coding": [{"system": OPERATIONS, "code": "CREATE", "display": "create"}]},
        "agent": [_author(), *map(_reviewer, _latest(reviews))],
        "entity": _sources(result),
    }
    return {name: value for name, value in made.items() if value != []}


def targets_as_ids(pairs: Pairs) -> Pairs:
    """`target=DiagnosticReport/x`, or `x` alone, asks for the Provenance of the id x."""
    return [("_id", _target(value)) if name == "target" else (name, value) for name, value in pairs]


def _target(value: str) -> str:
    kind, _, one = value.rpartition("/")
    return one if kind in ("", *TARGETS) else value


def _author() -> Json:
    concept = {"coding": [{"system": PARTICIPANTS, "code": "author", "display": "Author"}]}
    return {"type": concept, "who": {"reference": "#model"}}


def _latest(reviews: Sequence[Review]) -> list[Review]:
    """Each clinician's last word on whether it is right."""
    decided = {review.by: review for review in reviews if review.action != "comment"}
    return list(decided.values())


def _reviewer(review: Review) -> Json:
    verifier = {"coding": [{"system": PARTICIPANTS, "code": "verifier", "display": "Verifier"}]}
    kind = verifier if review.action == "accept" else own("overrider", "Looked at it and decided otherwise")
    return {"type": kind, "who": {"type": "Practitioner", "identifier": {"value": review.by}}}


def _sources(result: DiagnosisOut) -> list[Json]:
    """What it was made of: notes by reference, everything else by our id; the frozen case by its digest."""
    case = {"system": "urn:consilium:case-digest", "value": result.case.digest if result.case else ""}
    used = [(kind, one) for kind, out in (result.modalities or {}).items() for one in out.evidence]
    return [{"role": "source", "what": _what(kind, one)} for kind, one in used] + [
        {"role": "derivation", "what": {"identifier": case}}
    ]


def _what(kind: Source, evidence: str) -> Json:
    if kind in _REFERENCES:
        return {"reference": f"{_REFERENCES[kind]}/{evidence}"}
    return {"identifier": {"system": f"urn:consilium:{kind.value}", "value": evidence}}
