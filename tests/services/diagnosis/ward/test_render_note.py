"""Notes say what was documented, where the spans say, and never the answer."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np
import pytest

from services.diagnosis.ward import phrases
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.patient import WardPatient
from services.diagnosis.ward.render_note import render_note
from services.diagnosis.ward.tables import NOTE_VALUES, WARD
from shared.codes import DIAGNOSES

NOTE_FINDINGS = [finding.name for finding in WARD.findings if finding.modality == "note"]
WAYS_TO_NEGATE = re.compile(r"\b(den(y|ies)|no|not|without|negative|never|absent)\b|\(-\)", re.IGNORECASE)


@pytest.fixture(scope="module")
def patients() -> list[WardPatient]:
    return [generate_patient(11, index) for index in range(400)]


def test_no_note_names_a_label(patients: list[WardPatient]) -> None:
    names = [coding.display.lower() for coding in DIAGNOSES] + list(phrases.FORBIDDEN)
    for patient in patients:
        words = " ".join(re.findall(r"[a-z]+", patient.note.text.lower()))
        assert not [name for name in names if re.search(rf"\b{re.escape(name)}\b", words)]


def test_no_phrase_names_a_label() -> None:
    written = [phrase for options in phrases.PHRASES.values() for phrase in options]
    written += [p for values in phrases.PAIR_PHRASES.values() for options in values.values() for p in options]
    for phrase in (*written, *phrases.FILLERS, *phrases.BACKGROUND, *phrases.PLANS, *phrases.FAMILY_DISEASES):
        assert not [name for name in phrases.FORBIDDEN if re.search(rf"\b{name}\b", phrase.lower())]


def test_every_finding_has_at_least_six_paraphrases() -> None:
    assert phrases.PHRASES.keys() | phrases.PAIR_PHRASES.keys() == set(NOTE_FINDINGS)
    assert all(len(set(options)) >= 6 for options in phrases.PHRASES.values())
    assert all(len(set(options)) >= 6 for values in phrases.PAIR_PHRASES.values() for options in values.values())


def test_spans_hold_a_phrase_of_their_finding(patients: list[WardPatient]) -> None:
    for patient in patients:
        for start, end, finding, _ in patient.note.spans:
            said = patient.note.text[start:end].lower()
            options = phrases.PHRASES.get(finding) or phrases.PAIR_PHRASES[finding][patient.latents.findings[finding]]
            # A phrase may hold a typing error, never more than a few letters of one.
            likeness = max(SequenceMatcher(None, said, option.lower()).ratio() for option in options)
            assert likeness > 0.8, said


def test_what_is_documented_has_one_span_and_what_is_not_has_none(patients: list[WardPatient]) -> None:
    for patient in patients:
        documented = sorted(n for n in NOTE_FINDINGS if patient.latents.findings[n] not in {"unmentioned", "absent"})
        assert sorted(finding for _, _, finding, _ in patient.note.spans) == documented


def test_negated_spans_are_those_of_negated_findings(patients: list[WardPatient]) -> None:
    for patient in patients:
        for _, _, finding, negated in patient.note.spans:
            assert negated == (patient.latents.findings[finding] == "negated")


def test_negation_is_written_in_the_sentence_and_nowhere_else() -> None:
    for (_, status), sentences in phrases.CUES.items():
        for sentence in sentences:
            assert bool(WAYS_TO_NEGATE.search(sentence.replace("no records", ""))) == (status == "negated"), sentence


def test_spans_do_not_overlap(patients: list[WardPatient]) -> None:
    for patient in patients:
        spans = sorted(patient.note.spans)
        assert all(first[1] <= second[0] for first, second in pairwise(spans))


@pytest.mark.parametrize("status", NOTE_VALUES[1:])
def test_each_status_of_a_finding_is_written_differently(normal: dict[str, str], status: str) -> None:
    quiet = render_note(normal, np.random.default_rng(5)).text
    spoken = render_note(normal | {"fever": status}, np.random.default_rng(5)).text
    assert quiet != spoken


def test_hardly_two_notes_are_alike(patients: list[WardPatient]) -> None:
    assert len({patient.note.text for patient in patients}) == len(patients)


def test_notes_state_age_and_sex(patients: list[WardPatient]) -> None:
    for patient in patients[:50]:
        assert str(patient.person.age_years) in patient.note.text
