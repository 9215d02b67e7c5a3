"""Open mHealth's own test data: what its schemas let pass is read, what they refuse is never stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.services.vitals.imports.reading import form_of, read_file

SYSTOLIC, DIASTOLIC, HEART, BREATH = "8480-6", "8462-4", "8867-4", "9279-1"
SATURATION, TEMPERATURE, STEPS, BEAT = "59408-5", "8310-5", "55423-8", "8637-1"
INTERVAL = "effective_time_frame.time_interval"
WARM, COOL = [(TEMPERATURE, 36.111111111)], [(TEMPERATURE, 35.833333333)]
"""97 °F and 96.5 °F by hand: (F - 32) · 5/9."""

READ: dict[str, list[tuple[str, float]]] = {
    "blood-pressure/3.0/shouldPass/blood-pressure-only": [(SYSTOLIC, 115), (DIASTOLIC, 60)],
    "blood-pressure/3.1/shouldPass/with-posture-location-pa-relation": [(SYSTOLIC, 125), (DIASTOLIC, 60)],
    "blood-pressure/4.0/shouldPass/with-posture-and-location": [(SYSTOLIC, 140), (DIASTOLIC, 60)],
    "body-temperature/1.0/shouldPass/valid-temperature": WARM,
    "body-temperature/2.0/shouldPass/valid-temperature": WARM,
    "body-temperature/3.0/shouldPass/valid-temperature": WARM,
    "body-temperature/2.0/shouldPass/basal-temperature": COOL,
    "body-temperature/3.0/shouldPass/basal-temperature": COOL,
    "heart-rate/1.0/shouldPass/with-everything": [(HEART, 50)],
    "heart-rate/2.0/shouldPass/with-temporal-relationship-to-sleep": [(HEART, 67.5)],
    "oxygen-saturation/1.0/shouldPass/with-oxygen": [(SATURATION, 95)],
    "oxygen-saturation/2.0/shouldPass/saturation-only": [(SATURATION, 95)],
    "oxygen-saturation/2.0/shouldPass/with-oxygen": [(SATURATION, 95)],
    "respiratory-rate/2.0/shouldPass/with-temporal-relationship-to-physical-activity": [(BREATH, 11)],
    "rr-interval/1.0/shouldPass/with-time-frame": [(BEAT, 30)],
    "step-count/1.0/shouldPass/with-time-frame": [(STEPS, 6000)],
    "step-count/2.0/shouldPass/valid-step-count": [(STEPS, 6000)],
    "step-count/3.0/shouldPass/valid-step-count": [(STEPS, 10600)],
}
"""Files whose data point is a measurement."""
TOLD: dict[str, str] = {
    # Valid, but no measurement at a time: without one, or a summary.
    "blood-pressure/1.0/shouldPass/blood-pressure-only": "effective",
    "blood-pressure/1.0/shouldPass/with-position": "effective",
    "blood-pressure/1.0/shouldPass/with-user-notes": "effective",
    "blood-pressure/3.0/shouldPass/with-descriptive-statistic": "descriptive_statistic",
    "body-temperature/2.0/shouldPass/valid-temperature-with-statistic": "descriptive_statistic",
    "heart-rate/1.0/shouldPass/heart-rate-only": "effective",
    "rr-interval/1.0/shouldPass/rr-interval-only": "effective",
    "rr-interval/1.0/shouldPass/with-statistic": "descriptive_statistic",
    "rr-interval/1.0/shouldFail/invalid-rr-interval": "rr_interval.unit",
    "step-count/2.0/shouldPass/with-maximum": "descriptive_statistic",
    "step-count/3.0/shouldPass/with-maximum": "descriptive_statistic",
    # Invalid.
    "blood-pressure/2.0/shouldFail/invalid-unit": "systolic_blood_pressure.unit",
    "blood-pressure/4.0/shouldFail/invalid-timeframe-format": INTERVAL,
    "blood-pressure/4.0/shouldFail/invalid-unit": "systolic_blood_pressure.unit",
    "body-temperature/1.0/shouldFail/invalid-unit": "body_temperature.unit",
    "body-temperature/2.0/shouldFail/invalid-unit": "body_temperature.unit",
    "body-temperature/4.0/shouldFail/invalid-unit": "body_temperature.unit",
    "oxygen-saturation/1.0/shouldFail/invalid-oxygen-unit": "supplemental_oxygen_flow_rate.unit",
    "oxygen-saturation/1.0/shouldFail/invalid-unit": "oxygen_saturation.unit",
    "oxygen-saturation/2.0/shouldFail/invalid-oxygen-unit": "supplemental_oxygen_flow_rate.unit",
    "oxygen-saturation/2.0/shouldFail/missing-effective-time-frame": "effective",
    "respiratory-rate/1.0/shouldFail/invalid-respiratory-rate": "respiratory_rate.unit",
    "step-count/2.0/shouldFail/with-date-time": INTERVAL,
    "step-count/3.0/shouldFail/step-count-only": INTERVAL,
    "step-count/3.0/shouldFail/string-step-count-value": INTERVAL,
}
"""Files whose data point is rejected, and the field at fault."""
NO_VITAL_SIGN = (
    "body-weight",
    "data-point",
    "hk-quantity-sample",
    "physical-activity",
    "sleep-duration",
)


def test_all_reference_files_are_read_as_the_table_says(vitals_data: Path) -> None:
    root = vitals_data / "open-mhealth"
    paths = sorted(root.rglob("*.json"))
    assert len(paths) == 79  # as the README of the data counts them
    for path in paths:
        name = str(path.relative_to(root).with_suffix(""))
        if path.stem == "empty-document":
            assert form_of(path.read_bytes()) is None, name
            continue
        found = read_file(path.read_bytes())
        assert found.values == READ.get(name, []), name
        assert set(found.fields) == ({TOLD[name]} if name in TOLD else set()), name
        assert (found.ignored == 1) is name.startswith(NO_VITAL_SIGN), name


def test_the_table_stores_nothing_that_the_schemas_refuse() -> None:
    assert not [name for name in READ if "shouldFail" in name]


def point(**changed: Any) -> dict[str, Any]:
    body = {
        "heart_rate": {"value": 71, "unit": "beats/min"},
        "effective_time_frame": {"date_time": "2026-03-14T08:30:00Z"},
        **changed,
    }
    schema = {"namespace": "omh", "name": "heart-rate", "version": "2.0"}
    return {"header": {"schema_id": schema, "acquisition_provenance": {"source_name": "Band"}}, "body": body}


@pytest.mark.parametrize("form", ["one", "list", "lines"])
def test_data_points_come_alone_in_a_list_or_line_by_line(form: str) -> None:
    lines = "\n".join(json.dumps(point()) for _ in range(3))
    content = {"one": json.dumps(point(), indent=2), "list": json.dumps([point()] * 3), "lines": lines}[form]
    samples = read_file(content.encode()).samples
    assert len(samples) == (1 if form == "one" else 3)
    assert samples[0].device == "Band"


def test_the_header_of_ieee_1752_1_is_taken_too() -> None:
    schema = {"namespace": "ieee", "name": "heart-rate", "version": "1.0"}
    header = {
        "uuid": "x",
        "schema_id": schema,
        "source_creation_date_time": "2026-03-14T08:31:00Z",
        "modality": "sensed",
    }
    found = read_file(json.dumps({"header": header, "body": point()["body"]}).encode())
    assert (found.values, found.samples[0].device) == ([(HEART, 71)], "")


@pytest.mark.parametrize(
    ("interval", "minute"),
    [
        ({"end_date_time": "2026-03-14T08:40:00Z"}, 40),
        ({"duration": {"value": 5, "unit": "min"}}, 35),
        ({"duration": {"value": 120, "unit": "sec"}}, 32),
    ],
)
def test_an_interval_is_known_at_its_end(interval: dict[str, Any], minute: int) -> None:
    frame = {"time_interval": {"start_date_time": "2026-03-14T08:30:00Z", **interval}}
    (sample,) = read_file(json.dumps(point(effective_time_frame=frame)).encode()).samples
    assert sample.effective.minute == minute


@pytest.mark.parametrize("unit", [["beats/min"], None, {}, 7])
def test_a_unit_that_is_no_text_is_told(unit: Any) -> None:
    found = read_file(json.dumps(point(heart_rate={"value": 71, "unit": unit})).encode())
    assert found.fields == ["heart_rate.unit"]
