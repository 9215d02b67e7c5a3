"""What is written of a patient: nothing of a missing modality, and the truth with all that evaluation needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.diagnosis.ward import oracle
from services.diagnosis.ward.conditions import SHIFTS
from services.diagnosis.ward.dials import Dials, build_model
from services.diagnosis.ward.export import Order, Record, write
from services.diagnosis.ward.generate import ANCHOR, SPREAD_H, generate_patient
from services.diagnosis.ward.patient import WardPatient
from shared.codes import DIAGNOSES, SNOMED_CT

SEED, COUNT, SHIFT, DIALS = 17, 24, "missing-not-at-random", Dials(synergy=0.5)


def again(index: int) -> WardPatient:
    return generate_patient(SEED, index, side=64, model=build_model(DIALS), conditions=SHIFTS[SHIFT])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    directory = tmp_path_factory.mktemp("ward")
    order = Order(SEED, COUNT, ANCHOR, SPREAD_H, processes=1, side=64, shift=SHIFT, dials=DIALS)
    return directory, list(write(order, directory))


@pytest.fixture(scope="module")
def truths(written: tuple[Path, list[Record]]) -> list[dict[str, Any]]:
    lines = (written[0] / "truth.ndjson").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def patients_in(path: Path) -> set[str]:
    return {json.loads(line)["patient"] for line in path.read_text(encoding="utf-8").splitlines()}


def test_files_and_lines_exist_of_what_is_available_and_of_nothing_else(
    written: tuple[Path, list[Record]], truths: list[dict[str, Any]]
) -> None:
    directory = written[0]
    seen = {
        "image": {path.stem for path in (directory / "dicom").glob("*.dcm")},
        "note": patients_in(directory / "notes.ndjson"),
        "vitals": patients_in(directory / "vitals.ndjson"),
    }
    for modality, there in seen.items():
        assert there == {truth["patient"] for truth in truths if modality in truth["available"]}
        assert 0 < len(there) < COUNT


def test_records_hold_nothing_of_what_is_missing(written: tuple[Path, list[Record]]) -> None:
    for record in written[1]:
        available = json.loads(record.truth)["available"]
        assert [record.dicom is not None, record.note is not None, record.vitals is not None] == [
            modality in available for modality in ("image", "note", "vitals")
        ]


def test_masks_spans_and_windows_are_those_of_what_is_available(
    written: tuple[Path, list[Record]], truths: list[dict[str, Any]]
) -> None:
    for truth in truths:
        for key, modality in (("masks", "image"), ("spans", "note"), ("windows", "vitals")):
            assert modality in truth["available"] or not truth[key]
        assert all((written[0] / name).exists() for name in truth["masks"].values())
        assert (truth["sopInstanceUid"] is None) == ("image" not in truth["available"])
    assert any(truth["masks"] for truth in truths)
    assert any(truth["spans"] for truth in truths)
    assert any(truth["windows"] for truth in truths)


def test_the_posteriors_are_those_of_the_oracle(truths: list[dict[str, Any]]) -> None:
    for index, truth in enumerate(truths):
        patient, missingness = again(index), SHIFTS[SHIFT].missingness
        person, findings = patient.person, truth["findings"]
        assert truth["posterior"].keys() == {oracle.pattern_key(pattern) for pattern in oracle.PATTERNS}
        for pattern in oracle.PATTERNS:
            key = oracle.pattern_key(pattern)
            expected = oracle.posterior(patient.model, findings, pattern, person)
            np.testing.assert_allclose(truth["posterior"][key], expected)
            worse = oracle.deterioration_posterior(patient.model, findings, pattern, person)
            assert truth["deteriorationPosterior"][key] == pytest.approx(worse)
            levels = oracle.severity_posterior(patient.model, findings, pattern, person)
            np.testing.assert_allclose(truth["severityPosterior"][key], levels)
        given = oracle.posterior_given_availability(patient.model, findings, truth["available"], person, missingness)
        np.testing.assert_allclose(truth["posteriorGivenAvailability"], given)


def test_the_severity_is_the_drawn_level_in_snomed_ct(truths: list[dict[str, Any]]) -> None:
    codes = {0: "255604002", 1: "6736007", 2: "24484000"}
    for index, truth in enumerate(truths):
        assert truth["severity"]["system"] == SNOMED_CT
        assert truth["severity"]["code"] == codes[again(index).latents.severity]
        assert [level["code"] for level in truth["severityLevels"]] == list(codes.values())
    assert {truth["severity"]["display"] for truth in truths} == {"Mild", "Moderate", "Severe"}


def test_what_is_missing_changes_what_may_be_believed(truths: list[dict[str, Any]]) -> None:
    assert any(
        not np.allclose(t["posteriorGivenAvailability"], t["posterior"][oracle.pattern_key(t["available"])])
        for t in truths
    )


def test_the_truth_says_under_which_conditions_it_was_made(truths: list[dict[str, Any]]) -> None:
    for index, truth in enumerate(truths):
        person = again(index).person
        assert truth["shift"] == SHIFT
        assert truth["dials"] == {"unique": 1.0, "redundant": 1.0, "synergy": 0.5}
        assert truth["conditions"]["missingByDiagnosis"]["image"][7] == 0.50  # tables of conditions.py
        assert truth["person"] == {
            "age": person.age_years,
            "sex": person.sex,
            "skinType": person.skin_type,
            "site": person.site,
        }


def test_findings_that_are_there_have_their_codes(truths: list[dict[str, Any]]) -> None:
    normal = {finding.name: finding.values[0] for finding in again(0).model.findings}
    for truth in truths:
        assert truth["findingCodes"].keys() == {n for n, value in truth["findings"].items() if value != normal[n]}
        assert {code["system"] for code in truth["findingCodes"].values() if code} <= {SNOMED_CT}
    codes = {code["code"] for truth in truths for code in truth["findingCodes"].values() if code}
    assert {"8186001", "386661006"} <= codes  # cardiomegaly, fever


def test_the_recorded_diagnosis_is_wrong_where_labels_are(tmp_path: Path) -> None:
    order = Order(SEED, 60, ANCHOR, SPREAD_H, processes=1, side=64, shift="label-noise")
    lines = [json.loads(record.truth) for record in write(order, tmp_path)]
    wrong = [line["diagnosis"]["code"] != line["recordedDiagnosis"]["code"] for line in lines]
    assert 0 < sum(wrong) < 30
    assert {line["recordedDiagnosis"]["code"] for line in lines} <= {code.code for code in DIAGNOSES}
    assert lines[0]["conditions"]["labelNoise"] == 0.15
