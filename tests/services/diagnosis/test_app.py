"""From the request to the released result, with a real worker process."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest

from shared.contracts.base import Modality
from tests.support.diagnosis_house import House, hours_ago, open_house


def _admit(house: House, patient: str = "p-1") -> None:
    house.ward.add_image(patient, hours_ago(5), grey=0.5)
    house.ward.add_note(patient, hours_ago(4), "Fever and cough.")
    house.ward.add_heart_rate(patient, hours_ago(3), 100.0)


def test_a_case_with_all_modalities_is_computed_recorded_and_released(house: House) -> None:
    _admit(house)
    house.start_worker()
    asked = house.ask()
    assert asked.status_code == 202, asked.text
    result = house.finished(asked.json()["id"])
    # The arithmetic predictor: sigmoid(0.5 + 16 characters / 1000 + 100 per minute / 1000).
    expected = 1 / (1 + math.exp(-(0.5 + 0.016 + 0.1)))
    assert math.isclose(result["diagnoses"][0]["probability"], expected, abs_tol=1e-4), result
    assert len(house.ward.log_of("diagnosis-released")) == 1


def test_the_manifest_has_the_digest_of_the_case(house: House) -> None:
    _admit(house)
    house.start_worker()
    result = house.finished(house.ask().json()["id"])
    manifest = house.http.get(f"/diagnoses/{result['id']}/manifest", headers=house.headers())
    assert "sha256:" + hashlib.sha256(manifest.content).hexdigest() == result["case"]["digest"]


def test_a_case_without_any_consent_abstains_and_says_why(house: House) -> None:
    _admit(house)
    house.ward.withdraw("p-1", *Modality)
    house.start_worker()
    result = house.finished(house.ask().json()["id"])
    statuses = {kind: out["status"] for kind, out in result["modalities"].items()}
    assert (result["status"], result["diagnoses"], statuses) == (
        "abstained",
        [],
        {"image": "no-consent", "note": "no-consent", "vitals": "no-consent"},
    )


@pytest.mark.postgres
def test_two_workers_share_the_jobs_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    with open_house(tmp_path, postgres_url) as house:
        _admit(house)
        house.start_worker()
        house.start_worker()
        jobs = [house.ask().json()["id"] for _ in range(6)]
        statuses = [house.finished(job)["status"] for job in jobs]
        released = [event.object.id for event in house.ward.log_of("diagnosis-released") if event.object]
    assert statuses == ["succeeded"] * 6
    assert sorted(released) == sorted(jobs)
