from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.diagnosis.training.cohort import draw_part
from services.diagnosis.training.fragments import cut, sentences, stated
from services.diagnosis.ward.generate import generate_patient

NOTE = "HPI: Reports fever. Denies cough.\n\nExam:\nwheeze noted"


def test_sentences_and_lines_are_told_apart() -> None:
    assert [NOTE[start:end] for start, end in sentences(NOTE)] == [
        "HPI: Reports fever.",
        "Denies cough.",
        "Exam:",
        "wheeze noted",
    ]


@given(st.integers(0, 10_000))
def test_a_span_of_a_fragment_covers_the_same_words(seed: int) -> None:
    spans = ((13, 18, "fever", False), (27, 32, "productive_cough", True), (41, 47, "wheeze", False))
    words = {finding: NOTE[start:end] for start, end, finding, _ in spans}
    text, kept = cut(NOTE, spans, np.random.default_rng(seed))
    assert text in NOTE
    assert {finding: text[start:end] for start, end, finding, _ in kept} == {
        name: words[name] for _, _, name, _ in kept
    }


def test_only_stated_findings_are_told() -> None:
    assert stated({"fever": "asserted", "wheeze": "unmentioned"}, ((0, 5, "fever", False),)) == {"fever": "asserted"}


def test_a_fragment_is_part_of_the_patients_note() -> None:
    whole, fragment = generate_patient(9, 1).note.text, draw_part("note", 9, 1, fragments=1.0)
    assert fragment.text in whole
    assert len(fragment.text) < len(whole)


def test_a_fragment_without_findings_leaves_the_prior_of_the_person() -> None:
    empty = [
        record for record in (draw_part("note", 9, index, fragments=1.0) for index in range(60)) if not record.findings
    ]
    assert empty, "sixty fragments hold one without findings"
    seed, index = (int(part) for part in empty[0].name.split(":")[1:])
    patient = generate_patient(seed, index)
    prior = patient.model.prior_given([patient.person])[0]
    np.testing.assert_allclose(empty[0].posterior["note"], prior, rtol=1e-9)
