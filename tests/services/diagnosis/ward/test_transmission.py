"""What the case holds is what the vitals service makes of the lines that the wearable sends."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from services.diagnosis.assembly import assemble
from services.diagnosis.case import VitalsInput
from services.diagnosis.snapshot import Evidence
from services.diagnosis.ward.conditions import STANDARD
from services.diagnosis.ward.generate import ANCHOR, generate_patient
from services.diagnosis.ward.patient import WardPatient
from services.diagnosis.ward.transmission import Transmission, received
from services.diagnosis.ward.wearables import (
    NEW_SITE_WEARABLE,
    NOISY_WEARABLE,
    SKEWED_CLOCKS,
    SPO2,
    STANDARD_WEARABLE,
    TEMPERATURE,
    Wearable,
)
from services.vitals.app import create_app
from services.vitals.settings import Settings
from shared.auth import Role
from shared.codes import VITAL_SIGNS
from shared.contracts.base import Modality
from shared.contracts.evidence import VitalsWindow
from shared.database import migrate
from tests.support.common import TestBed

PRESETS = [STANDARD_WEARABLE, NOISY_WEARABLE, SKEWED_CLOCKS, NEW_SITE_WEARABLE]
CANONICAL = {sign.coding.code: sign.unit for sign in VITAL_SIGNS}


def patients(wearable: Wearable, n: int, seed: int = 6) -> list[WardPatient]:
    conditions = replace(STANDARD, wearable=wearable)
    return [generate_patient(seed, index, side=64, conditions=conditions) for index in range(n)]


def lines_of(patient: WardPatient) -> list[dict[str, Any]]:
    return [json.loads(line) for line in patient.vitals_ndjson().splitlines()]


def vitals_of(patient: WardPatient) -> VitalsInput:
    vitals = patient.case().vitals
    assert vitals is not None
    return vitals


@pytest.fixture
def service(bed: TestBed) -> Iterator[TestClient]:
    """The vitals service on SQLite, at the ward's present."""
    url = bed.sqlite("vitals")
    migrate(url, "vitals")
    app = create_app(Settings(database_url=url), bed.common, clock=lambda: ANCHOR)
    with TestClient(app, headers=bed.headers(Role.CLINICIAN)) as client:
        yield client


def through_the_service(client: TestClient, bed: TestBed, patient: WardPatient) -> tuple[dict[str, Any], VitalsInput]:
    """Its receipt, and the vitals as the worker of a diagnosis would get them."""
    body, inside = patient.vitals_ndjson(), bed.headers(Role.SERVICE)
    receipt = client.post("/vitals/samples", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert receipt.status_code == 200, receipt.text
    question = {"patient": patient.patient_id, "asOf": patient.as_of.isoformat()}
    (item,) = client.post("/internal/vitals/evidence", json=question, headers=inside).json()["items"]
    window = VitalsWindow.model_validate(client.get(f"/internal/vitals/evidence/{item['id']}", headers=inside).json())
    evidence = Evidence(Modality.VITALS, window.id, window.digest, window.end)
    vitals = assemble(patient.as_of, [evidence], [window]).vitals
    assert vitals is not None
    return receipt.json(), vitals


@pytest.mark.parametrize("wearable", PRESETS, ids=lambda w: w.profile)
def test_the_case_holds_what_the_vitals_service_hands_out(
    service: TestClient, bed: TestBed, wearable: Wearable
) -> None:
    for patient in patients(wearable, 8):
        receipt, served = through_the_service(service, bed, patient)
        held = vitals_of(patient)
        np.testing.assert_array_equal(held.times_h, served.times_h)
        assert held.codes == served.codes
        assert held.values.tolist() == served.values.tolist()
        sent = len(patient.transmission.codes)
        assert receipt["accepted"] + receipt["duplicates"] + receipt["rejectedCount"] == sent


def test_fahrenheit_called_celsius_is_no_evidence_and_a_fraction_called_per_cent_is_rejected(
    service: TestClient, bed: TestBed
) -> None:
    wrong = replace(STANDARD_WEARABLE, confused=1.0, wrong_unit=1.0, duplicate=0.0)
    for patient in patients(wrong, 3):
        fractions = sum(
            line["code"] == SPO2 and line["unit"] == "%" and line["value"] > 0 for line in lines_of(patient)
        )
        receipt, served = through_the_service(service, bed, patient)
        assert receipt["rejectedCount"] == fractions
        assert fractions > 50
        assert not {SPO2, TEMPERATURE} & set(served.codes)


def test_by_hand() -> None:
    # 101.3 [degF] is (101.3 - 32) / 1.8 = 38.5 Cel; 16 kPa is 120.009872 mm[Hg]; 0.97 is 97 %.
    # Left out: a repetition, 101.3 Cel, what the clock puts after the case, and what is 72 hours and a second old.
    sent = [
        (-60, "8331-1", 101.3, "[degF]"), (-120, "8480-6", 16.0, "kPa"), (-60, "8310-5", 38.5, "Cel"),
        (-30, "8310-5", 101.3, "Cel"), (-180, "2708-6", 0.97, "1"), (1, "8867-4", 80.0, "/min"),
        (-259201, "8867-4", 81.0, "/min"), (-259200, "8867-4", 82.0, "/min"),
    ]  # fmt: skip
    seconds, codes, values, units = zip(*sent, strict=True)
    times_h, names, numbers = received(Transmission(np.array(seconds), codes, values, units))
    np.testing.assert_array_equal(times_h * 60, [-4320, -3, -2, -1])
    assert names == ("8867-4", "59408-5", "8480-6", "8310-5")
    assert numbers.tolist() == pytest.approx([82, 97, 120.009872, 38.5], abs=1e-9)


def test_honest_other_units_say_the_same_as_the_measurement() -> None:
    seen = Counter[str]()
    for patient in patients(NEW_SITE_WEARABLE, 20):
        exact = replace(patient.conditions.wearable, confused=0.0)
        clean = replace(patient, conditions=replace(patient.conditions, wearable=exact))
        seen.update(line["unit"] for line in lines_of(clean))
        measured = dict(zip(_moments(clean), clean.stream.values.tolist(), strict=True))
        held = vitals_of(clean)
        for second, code, value in zip(np.rint(held.times_h * 3600).tolist(), held.codes, held.values, strict=True):
            # Half of the last digit sent: 0.05 degF, 0.05 kPa, 0.5 %, 0.5 ms.
            assert value == pytest.approx(measured[second, code], abs=0.51 if code != TEMPERATURE else 0.03)
    assert {"[degF]", "1", "kPa", "s", "/min", "Cel"} <= seen.keys()


def _moments(patient: WardPatient) -> list[tuple[int, str]]:
    stream = patient.stream
    return list(zip(stream.clock.shown_s(stream.times_h).tolist(), stream.codes, strict=True))


def test_late_and_repeated_samples_are_as_many_as_said() -> None:
    for wearable, most in ((STANDARD_WEARABLE, 0.1), (SKEWED_CLOCKS, 0.4)):
        late = twice = total = 0
        for patient in patients(wearable, 30):
            sent = patient.transmission
            total += len(patient.stream.codes)
            twice += len(sent.codes) - len(patient.stream.codes)
            late += int((sent.seconds < np.maximum.accumulate(sent.seconds)).sum())
        # About 20000 samples: 4.5 standard errors of a share of 0.02 are 0.005, of 0.1 are 0.01.
        assert twice / total == pytest.approx(wearable.duplicate, abs=0.01)
        # What is late, and half of what is sent again, comes after something newer.
        assert wearable.late * 0.7 < late / total < most


def test_each_measurement_is_sent_whatever_its_lateness() -> None:
    for patient in patients(SKEWED_CLOCKS, 10):
        assert set(_moments(patient)) == {
            (second, {"2708-6": SPO2, "8331-1": TEMPERATURE}.get(code, code))
            for second, code in zip(patient.transmission.seconds.tolist(), patient.transmission.codes, strict=True)
        }


def test_few_devices_confuse_units_and_those_now_and_then() -> None:
    confused, wrong, total = 0, 0, 0
    for patient in patients(STANDARD_WEARABLE, 400):
        sent = [line for line in zip(*_columns(patient), strict=True) if line[0] in (TEMPERATURE, SPO2)]
        mistakes = sum((unit == "Cel" and value > 90) or (unit == "%" and 0 < value <= 1) for _, value, unit in sent)
        confused += mistakes > 0
        wrong += mistakes
        total += len(sent) if mistakes else 0
    # 4.5 standard errors of a share of 0.05 among 400 are 0.05; of 0.06 among some 4000 readings, 0.017.
    assert 0.01 < confused / 400 < 0.10
    assert wrong / total == pytest.approx(0.06, abs=0.017)


def _columns(patient: WardPatient) -> tuple[tuple[str, ...], tuple[float, ...], tuple[str, ...]]:
    sent = patient.transmission
    return sent.codes, sent.values, sent.units


def test_a_clock_moves_what_is_said_and_not_what_happened() -> None:
    right, skewed = patients(STANDARD_WEARABLE, 5), patients(SKEWED_CLOCKS, 5)
    for told, shifted in zip(right, skewed, strict=True):
        np.testing.assert_array_equal(told.stream.times_h, shifted.stream.times_h)
        assert told.truth.windows == shifted.truth.windows


def test_lines_are_stamped_by_the_device() -> None:
    patient = patients(SKEWED_CLOCKS, 1)[0]
    stamps = [datetime.fromisoformat(line["effective"]) for line in lines_of(patient)]
    assert [(at - patient.as_of).total_seconds() for at in stamps] == patient.transmission.seconds.tolist()
