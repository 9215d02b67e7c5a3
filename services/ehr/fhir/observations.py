"""Observation -> samples of vital signs, and back to what was stored of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from services.ehr.domain import Sample
from services.ehr.fhir.reading import Json, instant, loinc_codes, parse, patient_of, refuse
from shared.codes import LOINC, UCUM, VITAL_SIGNS

USABLE = ("final", "amended", "corrected", "preliminary")


@cache
def known_codes() -> frozenset[str]:
    """LOINC codes of the vital signs this suite works with, aliases included."""
    return frozenset(code for sign in VITAL_SIGNS for code in (sign.coding.code, *sign.aliases))


def to_samples(body: object) -> list[Sample]:
    """Read the measurements of an Observation: its own value, and those of its components (blood pressure).

    Nothing is left out silently: a component that is no vital sign known here refuses the whole.
    Raises: BadRequest, UnusableResource: `fields` names the element.
    """
    resource = parse("Observation", body)
    if resource["status"] not in USABLE:
        refuse("Observation.status", "is not a measurement that stands", f"send one of {', '.join(USABLE)}")
    given = resource.get("effectiveDateTime") or resource.get("effectiveInstant")
    shared = (patient_of(resource), instant("Observation.effectiveDateTime", given), _device(resource))
    places = [("Observation", resource)] if _has_value(resource) else []
    components = resource.get("component") or []
    places += [(f"Observation.component[{i}]", c) for i, c in enumerate(components) if not c.get("dataAbsentReason")]
    if not places:
        refuse("Observation.value", "holds no measurement", "send valueQuantity, or components with valueQuantity")
    return [_sample(element, part, *shared) for element, part in places]


def _has_value(resource: Json) -> bool:
    return any(name.startswith("value") for name in resource)


def _device(resource: Json) -> str | None:
    device = resource.get("device") or {}
    name = device.get("display") or (device.get("identifier") or {}).get("value") or device.get("reference")
    return str(name) if name else None


def _sample(element: str, part: Json, patient: str, effective: str, device: str | None) -> Sample:
    codes = loinc_codes(part.get("code"))
    code = next((c for c in codes if c in known_codes()), None)
    if code is None:
        refuse(
            f"{element}.code", "is no vital sign known here", "send a vital sign by its LOINC code, or leave this out"
        )
    value, unit = _quantity(f"{element}.valueQuantity", part.get("valueQuantity"))
    return Sample(patient, code, value, unit, effective, device, element)


def _quantity(element: str, quantity: Json | None) -> tuple[float, str]:
    if quantity is None or quantity.get("value") is None:
        refuse(element, "is missing", "send the measurement as valueQuantity")
    if quantity.get("comparator"):
        refuse(f"{element}.comparator", "makes the value a bound", "send measured values only")
    if quantity.get("system") != UCUM or not quantity.get("code"):
        refuse(f"{element}.code", "is no UCUM unit", f"send system {UCUM} and the unit's code")
    try:
        value = float(quantity["value"])
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        refuse(f"{element}.value", "is no number", "send a finite number")
    return value, str(quantity["code"])


def from_samples(observation_id: str, samples: Sequence[Sample], sent: Json) -> Json:
    """The Observation that says what was stored of the one that was sent."""
    first = samples[0]
    resource: Json = {
        "resourceType": "Observation",
        "id": observation_id,
        "status": sent["status"],
        "category": [{"coding": [{"system": _CATEGORY, "code": "vital-signs"}]}],
        "code": sent["code"],
        "subject": {"identifier": {"value": first.patient}},
        "effectiveDateTime": first.effective,
    }
    if first.device:
        resource["device"] = {"display": first.device}
    if len(samples) == 1 and first.element == "Observation":
        return {**resource, **_measurement(first)}
    return {**resource, "component": [_measurement(sample) for sample in samples]}


_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def _measurement(sample: Sample) -> Json:
    quantity = {"value": sample.value, "unit": sample.unit, "system": UCUM, "code": sample.unit}
    return {"code": {"coding": [{"system": LOINC, "code": sample.code}]}, "valueQuantity": quantity}
