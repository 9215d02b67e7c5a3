"""Observation in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.ehr_neighbours import Door


def quantity(value: float, unit: str) -> dict[str, Any]:
    """A UCUM quantity."""
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def loinc(code: str) -> dict[str, Any]:
    """A LOINC concept."""
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def heart_rate(**changes: Any) -> dict[str, Any]:
    """An Observation that this server takes."""
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": loinc("8867-4"),
        "subject": {"identifier": {"value": "MRN-7"}},
        "effectiveDateTime": "2026-03-14T08:00:00Z",
        "device": {"display": "Watch 4"},
        "valueQuantity": quantity(112, "/min"),
    }
    return {name: value for name, value in (resource | changes).items() if value is not None}


def blood_pressure(systolic: float = 118) -> dict[str, Any]:
    """A panel with two components."""
    components = [
        {"code": loinc("8480-6"), "valueQuantity": quantity(systolic, "mm[Hg]")},
        {"code": loinc("8462-4"), "valueQuantity": quantity(71, "mm[Hg]")},
    ]
    return heart_rate(code=loinc("85354-9"), valueQuantity=None, component=components)


def test_an_observation_becomes_a_sample(door: Door) -> None:
    assert door.post("/fhir/Observation", heart_rate()).status_code == 201
    expected = {"patient": "MRN-7", "code": "8867-4", "value": 112.0, "unit": "/min"}
    assert door.ward.samples == [{**expected, "effective": "2026-03-14T08:00:00Z", "device": "Watch 4"}]


def test_blood_pressure_becomes_two_samples(door: Door) -> None:
    assert door.post("/fhir/Observation", blood_pressure()).status_code == 201
    assert [(s["code"], s["value"]) for s in door.ward.samples] == [("8480-6", 118.0), ("8462-4", 71.0)]


def test_the_same_observation_again_is_known_and_keeps_its_id(door: Door) -> None:
    first, second = (door.post("/fhir/Observation", heart_rate()) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.headers["location"] == second.headers["location"]


def test_another_patients_equal_observation_has_another_id(door: Door) -> None:
    first = door.post("/fhir/Observation", heart_rate()).json()["id"]
    other = door.post("/fhir/Observation", heart_rate(subject={"identifier": {"value": "MRN-8"}})).json()["id"]
    assert first != other


def test_minimal_return_has_no_body(door: Door) -> None:
    answer = door.post("/fhir/Observation", heart_rate(), headers={"Prefer": "return=minimal"})
    assert (answer.status_code, answer.content) == (201, b"")


def test_storing_an_observation_is_an_audit_event(door: Door) -> None:
    door.post("/fhir/Observation", blood_pressure())
    (event,) = door.events()
    assert (event.type, event.subtype, event.details) == ("delivery", "observation-created", {"samples": 2, "new": 2})


def test_a_component_that_the_vitals_service_refuses_is_named(door: Door) -> None:
    answer = door.post("/fhir/Observation", blood_pressure(systolic=500))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Observation.component[0]"]


@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"status": "cancelled"}, "Observation.status"),
        ({"status": "entered-in-error"}, "Observation.status"),
        ({"code": loinc("29463-7")}, "Observation.code"),
        ({"code": {"text": "pulse"}}, "Observation.code"),
        ({"subject": None}, "Observation.subject"),
        ({"effectiveDateTime": None}, "Observation.effectiveDateTime"),
        ({"effectiveDateTime": "2026-03"}, "Observation.effectiveDateTime"),
        ({"effectiveDateTime": 1773477000}, "Observation.effectiveDateTime"),
        ({"valueQuantity": None}, "Observation.value"),
        ({"valueQuantity": None, "valueString": "fast"}, "Observation.valueQuantity"),
        ({"valueQuantity": {**quantity(9, "/min"), "comparator": ">"}}, "Observation.valueQuantity.comparator"),
        ({"valueQuantity": {"value": 9, "unit": "bpm"}}, "Observation.valueQuantity.code"),
        ({"valueQuantity": {"value": "many"}}, "Observation.valueQuantity.value"),
        ({"valueQuantity": quantity(10**399, "/min")}, "Observation.valueQuantity.value"),
    ],
)
def test_an_unusable_observation_is_refused_by_element(door: Door, change: dict[str, Any], element: str) -> None:
    answer = door.post("/fhir/Observation", heart_rate(**change))
    assert answer.status_code == 422, answer.text
    assert [i["expression"] for i in answer.json()["issue"]] == [[element]]


def test_a_nan_is_refused(door: Door) -> None:
    body = json.dumps(heart_rate()).replace("112", "NaN").encode()
    assert door.post("/fhir/Observation", body).status_code in (400, 422)
    assert door.ward.samples == []


def test_a_conditional_create_is_refused_rather_than_ignored(door: Door) -> None:
    answer = door.post("/fhir/Observation", heart_rate(), headers={"If-None-Exist": "identifier=1"})
    assert answer.status_code == 400
    assert door.ward.samples == []


EXAMPLES = {
    "satO2": [201, "Observation"],
    # A day without a time of day cannot be placed on a timeline of hours.
    "blood-pressure": [422, "Observation.effectiveDateTime"],
    "blood-pressure-cancel": [422, "Observation.status"],
    "f202": [422, "Observation.status"],
    "bmi": [422, "Observation.effectiveDateTime"],
    "eye-color": [422, "Observation.effectiveDateTime"],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_specifications_own_examples_are_taken_or_refused_for_a_reason(
    door: Door, reference_data: Path, name: str
) -> None:
    example = json.loads((reference_data / f"interop/fhir-r4-examples/Observation-{name}.json").read_text())
    answer = door.post("/fhir/Observation", example)
    body = answer.json()
    told = body["issue"][0]["expression"][0] if "issue" in body else body["resourceType"]
    assert [answer.status_code, told] == EXAMPLES[name]


def test_the_specifications_blood_pressure_with_a_time_is_taken(door: Door, reference_data: Path) -> None:
    example = json.loads((reference_data / "interop/fhir-r4-examples/Observation-blood-pressure.json").read_text())
    example["effectiveDateTime"] = "2012-09-17T08:00:00Z"
    assert door.post("/fhir/Observation", example).status_code == 201
    assert [(s["code"], s["value"], s["patient"]) for s in door.ward.samples] == [
        ("8480-6", 107.0, "example"),
        ("8462-4", 60.0, "example"),
    ]
