"""The ward as a dataset."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.diagnosis.datasets.base import DatasetError
from services.diagnosis.datasets.ward import Ward
from services.diagnosis.ward.generate import generate_patient
from shared.codes import DIAGNOSES

WARD = Ward(seed=5, patients=9, side=64)


def test_cases_are_the_patients_of_the_generator_with_their_truth() -> None:
    for index, case in enumerate(WARD.cases()):
        patient = generate_patient(5, index, side=64)
        assert (case.patient, case.truth and case.truth.label) == (patient.patient_id, patient.latents.label)
        assert case.inputs.notes[0].text == patient.note.text
        np.testing.assert_array_equal(case.inputs.images[0].pixels, patient.case().images[0].pixels)


def test_a_later_start_continues_the_same_ward() -> None:
    ids = [case.id for case in WARD.cases()]
    assert [case.id for case in replace(WARD, start=6, patients=3).cases()] == ids[6:]


def test_shards_share_the_patients_out() -> None:
    shards = [[case.id for case in WARD.cases(shard=(k, 2))] for k in range(2)]
    assert shards[0][:2] + shards[1][:1] == ["WARD-5-000000", "WARD-5-000002", "WARD-5-000001"]
    assert sorted(shards[0] + shards[1]) == [case.id for case in WARD.cases()]


def test_subgroups_are_those_of_the_person() -> None:
    case, person = next(WARD.cases()), generate_patient(5, 0).person
    assert (case.subgroups["sex"], case.subgroups["site"]) == (person.sex, person.site)
    assert set(case.subgroups) == {"sex", "skin", "site", "age"}


def test_targets_speak_of_the_task_s_classes() -> None:
    case = next(WARD.cases())
    assert WARD.tasks[0].classes[case.targets["diagnosis"]] == DIAGNOSES[generate_patient(5, 0).latents.label].code
    assert case.targets["deterioration24h"] == int(generate_patient(5, 0).latents.deterioration)
    assert case.targets["severity"] == generate_patient(5, 0).latents.severity


def test_under_label_noise_the_recorded_label_is_the_target_and_the_true_one_the_truth() -> None:
    cases = list(Ward(seed=5, patients=300, shift="label-noise", side=64).cases())
    wrong = sum(case.truth is not None and case.targets["diagnosis"] != case.truth.label for case in cases)
    assert wrong == pytest.approx(45, abs=19)  # 15 % of 300, three standard deviations


def test_modalities_are_missing_where_the_conditions_say_so() -> None:
    cases = list(Ward(seed=5, patients=60, shift="missing-at-random", side=64).cases())
    without_image = sum(not case.inputs.images for case in cases)
    assert without_image == pytest.approx(18, abs=11)  # 30 % of 60, three standard deviations
    assert all(case.inputs.images or case.inputs.notes or case.inputs.vitals for case in cases)
    assert all(case.inputs.images for case in WARD.cases())


def test_no_note_of_the_ward_names_its_diagnosis() -> None:
    """A ward whose notes gave the answer away would make every later number meaningless."""
    assert replace(WARD, patients=100).check(strict=True).leaks == ()


def test_an_unknown_shift_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DatasetError, match="Use one of standard, "):
        Ward(shift="none")


def test_a_ward_without_patients_is_refused() -> None:
    with pytest.raises(DatasetError, match="--patients"):
        Ward(patients=0)
