"""Codes of a stay and the condition it was about. Titles: ICD-10-CM 2024 and ICD-9-CM 2015 tabular lists."""

from __future__ import annotations

import pytest

from services.diagnosis.datasets.diagnosis_codes import OTHER, SYMPTOM, fhir_label, icd_label, resolve
from shared.codes import (
    CARDIOGENIC_OEDEMA,
    COPD_EXACERBATION,
    DIAGNOSES,
    PLEURAL_EFFUSION,
    PNEUMONIA,
    PNEUMOTHORAX,
    PULMONARY_EMBOLISM,
    SEPSIS,
    SNOMED_CT,
    Coding,
)


@pytest.mark.parametrize(
    ("code", "version", "condition"),
    [
        ("J18.9", 10, PNEUMONIA),  # pneumonia, unspecified organism
        ("486", 9, PNEUMONIA),
        ("5070", 9, PNEUMONIA),  # pneumonitis due to inhalation of food
        ("I5023", 10, CARDIOGENIC_OEDEMA),  # acute on chronic systolic heart failure
        ("42833", 9, CARDIOGENIC_OEDEMA),  # acute on chronic diastolic heart failure
        ("J9311", 10, PNEUMOTHORAX),  # primary spontaneous pneumothorax
        ("S270XXA", 10, PNEUMOTHORAX),  # traumatic pneumothorax, initial encounter
        ("51289", 9, PNEUMOTHORAX),  # other pneumothorax
        ("J90", 10, PLEURAL_EFFUSION),
        ("5119", 9, PLEURAL_EFFUSION),
        ("J441", 10, COPD_EXACERBATION),
        ("49121", 9, COPD_EXACERBATION),
        ("I2699", 10, PULMONARY_EMBOLISM),
        ("41519", 9, PULMONARY_EMBOLISM),
        ("A41.9", 10, SEPSIS),
        ("0389", 9, SEPSIS),
    ],
)
def test_acute_codes_count_wherever_they_stand(code: str, version: int, condition: Coding) -> None:
    assert icd_label(code, version, 1) == icd_label(code, version, 7) == DIAGNOSES.index(condition)


@pytest.mark.parametrize(
    ("code", "version"),
    [
        ("J9381", 10),  # chronic pneumothorax
        ("5121", 9),  # iatrogenic pneumothorax
        ("I2690", 10),  # septic pulmonary embolism
        ("I2782", 10),  # chronic pulmonary embolism
        ("J449", 10),  # COPD, unspecified
        ("5110", 9),  # pleurisy without effusion
        ("S72001A", 10),  # fracture of the neck of the femur
        ("486", 10),  # an ICD-9 code under the wrong version
    ],
)
def test_chronic_iatrogenic_and_other_codes_are_none_of_the_eight(code: str, version: int) -> None:
    assert icd_label(code, version, 1) == OTHER


@pytest.mark.parametrize(("code", "version"), [("I509", 10), ("4280", 9), ("I130", 10), ("40491", 9)])
def test_unspecified_heart_failure_counts_only_as_the_reason_for_the_stay(code: str, version: int) -> None:
    assert icd_label(code, version, 1) == DIAGNOSES.index(CARDIOGENIC_OEDEMA)
    assert icd_label(code, version, 2) == OTHER


@pytest.mark.parametrize("code", ["I5022", "I5032"])
def test_chronic_heart_failure_never_counts(code: str) -> None:
    assert icd_label(code, 10, 1) == OTHER


@pytest.mark.parametrize(("code", "version"), [("R0789", 10), ("R0602", 10), ("78650", 9), ("7862", 9)])
def test_complaints_of_the_chest_are_told_apart(code: str, version: int) -> None:
    assert icd_label(code, version, 1) == SYMPTOM


def test_the_first_condition_is_the_one_the_stay_was_about() -> None:
    pneumothorax, embolism = DIAGNOSES.index(PNEUMOTHORAX), DIAGNOSES.index(PULMONARY_EMBOLISM)
    assert resolve([(9, pneumothorax), (2, OTHER), (3, embolism)]) == embolism


def test_sepsis_with_pneumonia_is_pneumonia() -> None:
    assert resolve([(1, DIAGNOSES.index(SEPSIS)), (2, DIAGNOSES.index(PNEUMONIA))]) == DIAGNOSES.index(PNEUMONIA)


def test_an_effusion_with_heart_failure_is_heart_failure() -> None:
    oedema = DIAGNOSES.index(CARDIOGENIC_OEDEMA)
    assert resolve([(1, DIAGNOSES.index(PLEURAL_EFFUSION)), (4, oedema)]) == oedema


def test_without_any_of_the_conditions_there_is_no_label() -> None:
    assert resolve([(1, OTHER), (2, SYMPTOM)]) is None


@pytest.mark.parametrize(
    ("system", "code", "label"),
    [
        (SNOMED_CT, "59282003", DIAGNOSES.index(PULMONARY_EMBOLISM)),
        (SNOMED_CT, "38341003", OTHER),  # hypertensive disorder
        ("http://hl7.org/fhir/sid/icd-10-cm", "J18.9", DIAGNOSES.index(PNEUMONIA)),
        ("http://hl7.org/fhir/sid/icd-9-cm", "486", DIAGNOSES.index(PNEUMONIA)),
        ("urn:oid:1.2.3", "J18.9", OTHER),
    ],
)
def test_codings_of_fhir_conditions(system: str, code: str, label: int) -> None:
    assert fhir_label(system, code, 1) == label
