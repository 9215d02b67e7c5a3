"""Code systems of the resources we emit, and small builders that every one of them uses."""

from __future__ import annotations

from datetime import UTC, datetime

from services.ehr.fhir.reading import Json
from shared.codes import UCUM
from shared.contracts.base import CodeOut
from shared.contracts.diagnosis import DiagnosisOut, ModelOut

ACT_REASONS = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
ROLES = "urn:consilium:role"
OWN_CODES = "urn:consilium:codes"
"""Our own code system: kinds of statements, and names of risks."""
BUNDLE_DIGEST = "urn:consilium:bundle-digest"
AI_ASSERTED: Json = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
DISCLAIMER = "Decision support computed by a model; not a diagnosis and not verified by a clinician."


def own(code: str, text: str) -> Json:
    """A concept of our own code system."""
    return {"coding": [{"system": OWN_CODES, "code": code, "display": text}], "text": text}


def concept(code: CodeOut) -> Json:
    """A concept as the result names it."""
    return {"coding": [code.model_dump()], "text": code.display}


def subject(result: DiagnosisOut) -> Json:
    """The patient, by the identifier that the sender of the evidence used."""
    return {"identifier": {"value": result.patient}}


def moment(value: datetime) -> str:
    """A FHIR instant in UTC with milliseconds."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def meta(updated: datetime) -> Json:
    """The tag that a machine asserted this, and when it was there to be read."""
    return {"lastUpdated": moment(updated), "security": [AI_ASSERTED]}


def fraction(value: float) -> Json:
    """A probability as a Quantity without unit."""
    return {"value": number(value), "unit": "1", "system": UCUM, "code": "1"}


def number(value: float) -> float:
    """Four digits after the point: more would claim what no calibration set can show."""
    return round(value, 4)


def model_device(model: ModelOut) -> Json:
    """The model as a contained Device `#model`."""
    return {
        "resourceType": "Device",
        "id": "model",
        "identifier": [{"system": BUNDLE_DIGEST, "value": model.digest}],
        "deviceName": [{"name": model.bundle, "type": "model-name"}],
        "version": [{"value": model.version}],
    }
