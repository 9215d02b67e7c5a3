from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.diagnosis.case import NoteInput
from services.diagnosis.inference.prediction import (
    Explanation,
    ModalityExplanation,
    ModalityOutcome,
    NextBest,
    NoteExplanation,
    NoteSpan,
    RankedDiagnosis,
    WithoutModality,
)
from services.diagnosis.inference.summary import summarise
from shared.codes import DIAGNOSES

FIRST, SECOND = DIAGNOSES[0], DIAGNOSES[1]
NOTE = NoteInput("note-1", "Denies fever.", datetime(2026, 3, 1, tzinfo=UTC), "admission")
RANKED = (RankedDiagnosis(FIRST, 0.7, (0.5, 0.8)), RankedDiagnosis(SECOND, 0.2, (0.1, 0.3)))
OUTCOMES = {
    "note": ModalityOutcome(True, ("note-1",), {}, 0.1, False),
    "vitals": ModalityOutcome(True, ("vitals-1",), {}, 0.1, False),
    "image": ModalityOutcome(False, ("image-1",), {}, None, True, "the image is blank"),
}


def sentences(**explained: Any) -> dict[str, tuple[str, ...]]:
    across = ModalityExplanation(
        FIRST.code, -2.0, {"note": 1.0, "vitals": 0.5}, {"note+vitals": -0.6}, {"note+vitals": "redundant"}
    )
    explanation = Explanation(modalities=across, **explained)
    found = summarise(RANKED, OUTCOMES, explanation, {"note-1": NOTE}, "vitals-1")
    return {sentence.text: sentence.evidence for sentence in found}


def starting(found: dict[str, tuple[str, ...]], words: str) -> tuple[str, tuple[str, ...]]:
    return next((text, evidence) for text, evidence in found.items() if text.startswith(words))


def test_a_denied_finding_is_worded_as_denied() -> None:
    found = sentences(notes=(NoteExplanation("note-1", (NoteSpan(7, 12, 0.4, True),)),))
    assert found["In the note, “fever” is denied, which speaks for it (+0.40)."] == ("note-1",)


def test_every_sentence_names_its_evidence() -> None:
    found = sentences(
        what_if=(WithoutModality("note", SECOND, 0.5, 2), WithoutModality("vitals", FIRST, 0.6, 2)),
        next_best=(NextBest("image", 0.31, (-0.1, 0.7)),),
    )
    assert all(found.values())
    assert set().union(*found.values()) == {"note-1", "vitals-1", "image-1"}


def test_a_modality_that_decides_is_named_with_what_would_come_first_without_it() -> None:
    found = sentences(what_if=(WithoutModality("note", SECOND, 0.5, 2), WithoutModality("vitals", FIRST, 0.6, 2)))
    assert starting(found, "Without")[0] == f"Without the note, {SECOND.display} would come first (50%)."
    assert starting(found, "Without")[1] == ("note-1",)


def test_where_none_decides_the_least_sure_absence_is_told() -> None:
    found = sentences(what_if=(WithoutModality("note", FIRST, 0.5, 2), WithoutModality("vitals", FIRST, 0.6, 2)))
    text, evidence = starting(found, "It comes first")
    assert "least surely without the note (50%)" in text
    assert evidence == ("note-1", "vitals-1")


def test_the_next_best_is_an_expectation_with_its_spread() -> None:
    text, evidence = starting(sentences(next_best=(NextBest("image", 0.31, (-0.1, 0.7)),)), "Not used")
    assert "would be expected to lower the uncertainty, by 0.31 nats" in text
    assert "between -0.10 and 0.70" in text
    assert evidence == ("note-1", "vitals-1")


def test_redundant_evidence_is_said_to_repeat_itself() -> None:
    text, evidence = starting(sentences(), "The note and the vital signs")
    assert "say the same in part" in text
    assert evidence == ("note-1", "vitals-1")


def test_a_rejected_modality_is_named_with_its_reason() -> None:
    assert sentences()["The radiograph was not used: the image is blank."] == ("image-1",)


def test_facts_that_no_item_states_rest_on_the_case_as_a_whole() -> None:
    outcomes = {**OUTCOMES, "tabular": ModalityOutcome(True, (), {}, 0.1, False)}
    across = ModalityExplanation(FIRST.code, -2.0, {"note": 1.0, "tabular": -0.2}, {})
    found = summarise(RANKED, outcomes, Explanation(modalities=across), {"note-1": NOTE}, "vitals-1")
    facts = next(sentence for sentence in found if sentence.text.startswith("What is known of age"))
    assert facts.evidence == ("note-1", "vitals-1")
