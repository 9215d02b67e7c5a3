"""Notes say what was documented, where the spans say, and never the answer."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np
import pytest

from services.diagnosis.ward import phrases
from services.diagnosis.ward.conditions import STANDARD
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.patient import WardPatient
from services.diagnosis.ward.population import Person
from services.diagnosis.ward.render_note import Note, render_note
from services.diagnosis.ward.tables import NOTE_VALUES, WARD
from services.diagnosis.ward.writing import (
    COPIED_FORWARD,
    NEW_SITE_WRITING,
    STANDARD_WRITING,
    TERSE,
    TYPED,
    Manner,
    Writing,
)
from shared.codes import DIAGNOSES

NOTE_FINDINGS = [finding.name for finding in WARD.findings if finding.modality == "note"]
PRESETS = {
    "standard": (STANDARD_WRITING, 400),
    "terse": (TERSE, 100),
    "copied-forward": (COPIED_FORWARD, 100),
    "new-site": (NEW_SITE_WRITING, 100),
}
PLAIN = replace(
    TYPED, lists=0.0, abbreviations=0.0, typos=(0.0,), lower=0.0, family=1.0, past=1.0, cautions=1.0, copied=0.0
)
DISTRACTING = re.compile("fever|sputum|swelling|wheez|h(a)?emoptysis|rigors|confusion|smoked|breast ca", re.IGNORECASE)


def written_by(manner: Manner) -> Writing:
    return Writing("one", sites={}, elsewhere=((1.0, manner),))


def draw(findings: dict[str, str], number: int, manner: Manner = PLAIN, person: Person | None = None) -> Note:
    person = person or Person(60, "M", 3, "harbour")
    return render_note(findings, np.random.default_rng(number), person=person, writing=written_by(manner))


@pytest.fixture(scope="module", params=PRESETS)
def patients(request: pytest.FixtureRequest) -> Sequence[WardPatient]:
    writing, n = PRESETS[request.param]
    conditions = replace(STANDARD, writing=writing)
    return [generate_patient(11, index, conditions=conditions) for index in range(n)]


def test_no_note_names_a_label(patients: Sequence[WardPatient]) -> None:
    names = [coding.display.lower() for coding in DIAGNOSES] + list(phrases.FORBIDDEN)
    for patient in patients:
        words = " ".join(re.findall(r"[a-z]+", patient.note.text.lower()))
        assert not [name for name in names if re.search(rf"\b{re.escape(name)}\b", words)]


def test_spans_hold_a_phrase_of_their_finding_and_nothing_else(patients: Sequence[WardPatient]) -> None:
    for patient in patients:
        for start, end, finding, _ in patient.note.spans:
            said = patient.note.text[start:end]
            assert said == said.strip()
            options = phrases.PHRASES.get(finding) or phrases.PAIR_PHRASES[finding][patient.latents.findings[finding]]
            # A phrase may hold a typing error, never more than a few letters of one.
            likeness = max(SequenceMatcher(None, spelt_out(said), spelt_out(option)).ratio() for option in options)
            assert likeness > 0.8, said


def spelt_out(text: str) -> str:
    """In lower case, abbreviations written out: what is compared is meaning, not brevity."""
    text = f" {text.lower()} "
    for long, short in sorted(phrases.ABBREVIATIONS.items(), key=lambda item: -len(item[1])):
        text = re.sub(rf"(?<![\w/]){re.escape(short.lower())}(?!\w)", long, text)
    return text.strip()


def test_spans_survive_the_wire_with_signs_beyond_ascii(patients: Sequence[WardPatient]) -> None:
    for patient in patients[:60]:
        text = json.loads(json.dumps(patient.note_json()))["text"]
        assert [text[s:e] for s, e, _, _ in patient.note.spans] == [
            patient.note.text[s:e] for s, e, _, _ in patient.note.spans
        ]


def test_what_is_documented_has_a_span_and_what_is_not_has_none(patients: Sequence[WardPatient]) -> None:
    for patient in patients:
        documented = {n for n in NOTE_FINDINGS if patient.latents.findings[n] not in {"unmentioned", "absent"}}
        assert {finding for _, _, finding, _ in patient.note.spans} == documented


def test_what_is_said_twice_is_said_in_the_same_words(patients: Sequence[WardPatient]) -> None:
    for patient in patients:
        said: dict[str, list[tuple[str, bool]]] = {}
        for start, end, finding, negated in patient.note.spans:
            said.setdefault(finding, []).append((patient.note.text[start:end], negated))
        assert all(len(times) <= 2 and len(set(times)) == 1 for times in said.values())


def test_negated_spans_are_those_of_negated_findings(patients: Sequence[WardPatient]) -> None:
    for patient in patients:
        for _, _, finding, negated in patient.note.spans:
            assert negated == (patient.latents.findings[finding] == "negated")


def test_spans_are_in_order_and_do_not_overlap(patients: Sequence[WardPatient]) -> None:
    for patient in patients:
        assert all(first[1] <= second[0] for first, second in pairwise(patient.note.spans))


def test_hardly_two_notes_are_alike(patients: Sequence[WardPatient]) -> None:
    assert len({patient.note.text for patient in patients}) == len(patients)


def test_notes_state_age_and_sex(patients: Sequence[WardPatient]) -> None:
    for patient in patients[:50]:
        assert str(patient.person.age_years) in patient.note.text


def test_pronouns_and_titles_are_those_of_the_person(patients: Sequence[WardPatient]) -> None:
    others = {"F": r"\b(he|his|mr|man|bph)\b", "M": r"\b(she|her|ms|woman|ovarian|hysterectomy)\b"}
    for patient in patients:
        assert not re.search(others[patient.person.sex], patient.note.text.lower())


@pytest.mark.parametrize("status", NOTE_VALUES[1:])
def test_each_status_of_a_finding_is_written_differently(normal: dict[str, str], status: str) -> None:
    texts = {value: draw(normal | {"fever": value}, 5).text for value in NOTE_VALUES}
    assert len(set(texts.values())) == len(NOTE_VALUES)


def test_one_denial_may_cover_several_findings(normal: dict[str, str]) -> None:
    denied = ("fever", "haemoptysis", "rigors")
    note = draw(normal | dict.fromkeys(denied, "negated"), 3, replace(PLAIN, lists=1.0))
    assert {(finding, negated) for _, _, finding, negated in note.spans} == {(name, True) for name in denied}
    first, last = note.spans[0][0], note.spans[-1][1]
    # One sentence: nothing between the first and the last phrase ends it or denies anew.
    assert not re.search(r"[.;\n]|\b(denies|no|without|negative)\b", note.text[first:last], re.IGNORECASE)
    before = note.text[:first].rsplit(".", 1)[-1]
    assert re.search(r"denies|no|negative", before, re.IGNORECASE)


def test_a_finding_more_adds_its_statement_and_changes_nothing_else(normal: dict[str, str]) -> None:
    for number in range(40):
        quiet, spoken = draw(normal, number).text, draw(normal | {"fever": "asserted"}, number)
        (start, end, _, _) = spoken.spans[0]
        same_before = next(i for i, (a, b) in enumerate(zip(quiet, spoken.text, strict=False)) if a != b)
        added = len(spoken.text) - len(quiet)
        assert quiet[same_before:] == spoken.text[same_before + added :]
        assert same_before <= start < end <= same_before + added


def test_findings_of_others_of_the_past_and_of_what_may_come_are_no_spans(normal: dict[str, str]) -> None:
    texts = [draw(normal, number) for number in range(60)]
    assert all(note.spans == () for note in texts)
    assert sum(bool(DISTRACTING.search(note.text)) for note in texts) > 50


def test_a_finding_is_marked_where_it_is_the_patients_and_not_where_it_is_not(normal: dict[str, str]) -> None:
    for number in range(60):
        note = draw(normal | {"rigors": "asserted", "smoking": "negated"}, number)
        assert len(note.spans) == 2
        for start, _, _, _ in note.spans:
            line = note.text[note.text.rfind(".", 0, start) + 1 : start]
            assert not re.search("father|mother|sister|brother|uncle|return if|years ago|episode", line, re.IGNORECASE)


ILL = dict.fromkeys(("leg_swelling", "productive_cough", "recent_surgery", "weight_loss", "calf_pain"), "asserted")


def test_abbreviations_replace_long_forms_at_their_rate(normal: dict[str, str]) -> None:
    long_form = re.compile(rf"\b({'|'.join(phrases.ABBREVIATIONS)})\b", re.IGNORECASE)
    manner = replace(PLAIN, headings=("none",), signature=0.0, dated=0.0)
    counts = [
        sum(
            len(long_form.findall(draw(normal | ILL, number, replace(manner, abbreviations=rate)).text))
            for number in range(40)
        )
        for rate in (0.0, 0.5, 1.0)
    ]
    assert counts[0] > 100
    assert counts[1] == pytest.approx(counts[0] / 2, rel=0.3)
    assert counts[2] == 0


def test_typing_errors_come_at_their_rate_and_spare_first_letters(normal: dict[str, str]) -> None:
    changed = eligible = 0
    for number in range(40):
        clean = draw(normal | ILL, number).text.split()
        hasty = draw(normal | ILL, number, replace(PLAIN, typos=(0.3,))).text.split()
        for right, typed in zip(clean, hasty, strict=True):
            changed += right != typed
            eligible += right.isalpha() and len(right) >= 5
            assert right[0] == typed[0]
    # A little less than said: cues and headings are spared, and a letter may be replaced by itself.
    assert 0.15 < changed / eligible < 0.3
