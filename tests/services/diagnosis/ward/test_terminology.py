"""Every finding has a code or is said to have none; codes are well-formed and used once for one thing."""

from __future__ import annotations

import pytest

from services.diagnosis.ward import terminology
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.tables import WARD
from shared.codes import DIAGNOSES, LOINC, SNOMED_CT, Coding

_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_P = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4))


def verhoeff(code: str) -> bool:
    """Whether the last digit is the Verhoeff check digit, as in every SNOMED CT identifier (TIG, section 6.4)."""
    check = 0
    permutation: list[tuple[int, ...]] = list(_P)
    while len(permutation) < 8:
        permutation.append(tuple(_P[1][digit] for digit in permutation[-1]))
    for i, digit in enumerate(reversed(code)):
        check = _D[check][permutation[i % 8][int(digit)]]
    return check == 0


def codings() -> list[Coding]:
    pairs = [(finding.name, value) for finding in WARD.findings for value in finding.values[1:]]
    return [coding for name, value in pairs if (coding := terminology.coding_of(name, value))]


def test_every_finding_of_the_ward_is_in_the_table_and_none_else() -> None:
    assert terminology.FINDINGS.keys() == {finding.name for finding in WARD.findings}


def test_most_findings_have_a_code() -> None:
    assert len({coding.code for coding in codings()}) >= 28


@pytest.mark.parametrize("coding", [*codings(), *DIAGNOSES], ids=lambda coding: coding.display)
def test_snomed_codes_have_a_right_check_digit_and_are_concepts(coding: Coding) -> None:
    assert coding.system == SNOMED_CT
    assert verhoeff(coding.code)
    assert coding.code[-3:-1] == "00"  # partition 00: a concept of the international edition


def test_the_check_digit_tells_a_wrong_code() -> None:
    assert verhoeff("73211009")
    assert not verhoeff("73211008")
    assert not verhoeff("73121009")


def test_two_values_may_have_two_codes_and_an_unknown_finding_none() -> None:
    low, high = (terminology.coding_of("blood_pressure", value) for value in ("low", "high"))
    assert low is not None
    assert high is not None
    assert low.code != high.code
    assert terminology.coding_of("tachycardia", "irregular") is None
    with pytest.raises(KeyError):
        terminology.coding_of("green_hair", "present")


def test_every_note_type_and_vital_sign_the_ward_sends_is_a_known_loinc_code() -> None:
    for index in range(20):
        patient = generate_patient(31, index, side=64)
        assert terminology.DOCUMENTS[patient.note.type].system == LOINC
        assert set(patient.stream.codes) <= terminology.VITALS.keys()
