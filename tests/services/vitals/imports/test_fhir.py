"""FHIR R4 Observations: the standard's own examples, and each way in which one is no measurement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.services.vitals.imports.reading import read_file

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


def coded(code: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": code}]}


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "system": UCUM, "code": unit}


def observation(**changed: Any) -> dict[str, Any]:
    """The heart rate of hl7.org/fhir/R4/observation-example-heart-rate, with a time of day."""
    good = {
        "resourceType": "Observation",
        "status": "final",
        "code": coded("8867-4"),
        "subject": {"identifier": {"value": "P-7"}},
        "effectiveDateTime": "2026-03-14T08:30:00+01:00",
        "device": {"identifier": {"value": "monitor-4"}},
        "valueQuantity": quantity(44, "/min"),
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def blood_pressure() -> dict[str, Any]:
    parts = [
        {"code": coded("8480-6"), "valueQuantity": quantity(107, "mm[Hg]")},
        {"code": coded("8462-4"), "valueQuantity": quantity(60, "mm[Hg]")},
        {"code": coded("8478-0"), "valueQuantity": quantity(76, "mm[Hg]")},
    ]
    return observation(code=coded("85354-9"), valueQuantity=None, component=parts)


def as_bytes(resource: Any) -> bytes:
    return json.dumps(resource, indent=1).encode()


def test_an_observation_is_a_sample_of_its_subject_and_device() -> None:
    (sample,) = read_file(as_bytes(observation()), patient="P-7").samples
    assert (sample.patient, sample.code, sample.value, sample.unit) == ("P-7", "8867-4", 44, "/min")
    assert (sample.effective.isoformat(), sample.device) == ("2026-03-14T07:30:00+00:00", "monitor-4")


def test_components_are_samples_and_those_not_known_here_are_left_out() -> None:
    assert read_file(as_bytes(blood_pressure())).values == [("8480-6", 107), ("8462-4", 60)]


@pytest.mark.parametrize("kind", ["collection", "searchset", "transaction"])
def test_bundles_are_taken_and_places_are_json_pointers(kind: str) -> None:
    resources = [observation(), {"resourceType": "Patient"}, blood_pressure(), observation(status="cancelled")]
    bundle = {"resourceType": "Bundle", "type": kind, "entry": [{"resource": each} for each in resources]}
    found = read_file(as_bytes(bundle))
    assert (found.form.layout, found.ignored, len(found.samples)) == ("bundle", 1, 3)
    assert found.rejects == [("/entry/3/resource", "status")]


def test_a_bundle_that_names_its_type_last_is_known_by_its_entries() -> None:
    bundle = {"entry": [{"resource": observation()}], "resourceType": "Bundle", "type": "collection"}
    assert len(read_file(as_bytes(bundle)).samples) == 1


def test_lines_of_a_bulk_export_are_taken_and_a_damaged_one_is_told() -> None:
    lines = [json.dumps(observation()), "{damaged", "", json.dumps(blood_pressure()), '{"resourceType": "Device"}']
    found = read_file("\n".join(lines).encode())
    assert (found.form.layout, len(found.samples), found.ignored) == ("lines", 3, 1)
    assert found.rejects == [("line 2", "line")]


def test_a_bundle_that_breaks_off_gives_what_stands_before() -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": observation()}] * 3}
    found = read_file(as_bytes(bundle)[:-200])
    assert len(found.samples) == 2
    assert found.rejects == [("/entry/2", "file")]


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "registered", "unknown", None])
def test_a_result_that_does_not_stand_is_rejected(status: str | None) -> None:
    assert read_file(as_bytes(observation(status=status))).rejects == [("/", "status")]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"modifierExtension": [{"url": "urn:x"}]}, "modifierExtension"),
        ({"valueQuantity": {**quantity(44, "/min"), "comparator": "<"}}, "value"),
        ({"valueQuantity": None, "dataAbsentReason": {"text": "?"}}, "value"),
        ({"valueQuantity": quantity(-4, "/min")}, "value"),
        ({"valueQuantity": quantity(44, "mm[Hg]")}, "unit"),
        ({"valueQuantity": {"value": 44}}, "unit"),
        ({"effectiveDateTime": None}, "effective"),
        ({"effectiveDateTime": "2026-03-14"}, "effective"),
        ({"effectiveDateTime": None, "effectivePeriod": {"start": "2026-03-14T08:00:00Z"}}, "effective"),
        ({"subject": {"identifier": {"value": " "}}}, "patient"),
    ],
)
def test_what_is_no_measurement_is_rejected_by_field(changed: dict[str, Any], field: str) -> None:
    found = read_file(as_bytes(observation(**changed)))
    assert (found.samples, found.fields) == ([], [field])


def test_a_measurement_over_a_period_is_known_at_its_end() -> None:
    period = {"start": "2026-03-14T08:00:00Z", "end": "2026-03-14T08:10:00Z"}
    (sample,) = read_file(as_bytes(observation(effectiveDateTime=None, effectivePeriod=period))).samples
    assert sample.effective.isoformat() == "2026-03-14T08:10:00+00:00"


def test_an_instant_is_a_time_too() -> None:
    changed = observation(effectiveDateTime=None, effectiveInstant="2026-03-14T08:00:00.5Z")
    assert read_file(as_bytes(changed)).samples[0].effective.microsecond == 500_000


@pytest.mark.parametrize("code", [coded("29463-7"), {"text": "heart rate"}, {}, coded("MDC")])
def test_an_unknown_code_is_counted_and_no_error(code: Any) -> None:
    found = read_file(as_bytes(observation(code=code)))
    assert (found.samples, found.rejects, found.ignored) == ([], [], 1)


EXAMPLES = {
    "Observation-blood-pressure.json": ([], ["effective", "effective"]),  # a date without a time of day
    "Observation-blood-pressure-cancel.json": ([], ["status"]),
    "Observation-f202.json": ([], ["status"]),  # entered-in-error
    "Observation-glasgow.json": ([("9269-2", 13)], []),
    "Observation-satO2.json": ([("59408-5", 95)], []),
}
"""What the examples of R4 hold of the vital signs known here; all others hold none."""


def test_the_standard_s_examples_are_read_as_their_text_says(interop_data: Path) -> None:
    paths = sorted((interop_data / "fhir-r4-examples").glob("Observation-*.json"))
    assert len(paths) == 32
    for path in paths:
        found = read_file(path.read_bytes())
        assert (found.values, found.fields) == EXAMPLES.get(path.name, ([], [])), path.name


def test_synthetic_patients_give_their_blood_pressures(interop_data: Path) -> None:
    # As found, of some patients counted by hand; one patient lived before 1990.
    expected = {"Xuan": (16, 0), "Versie": (20, 0), "Barney": (0, 14), "Tiera": (20, 0)}
    for path in (interop_data / "synthea-r4").glob("*.json"):
        found = read_file(path.read_bytes())
        assert (len(found.samples), len(found.rejects)) == expected[path.name.partition("_")[0]]
