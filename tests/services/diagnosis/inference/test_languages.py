"""A note in another language is set aside with a reason, and never scored as English."""

from __future__ import annotations

from datetime import UTC, datetime

from services.diagnosis.case import NoteInput
from services.diagnosis.inference.languages import foreign_reason, readable_notes, set_aside
from services.diagnosis.inference.prediction import ModalityOutcome
from services.diagnosis.inference.reasons import what_would_help
from services.diagnosis.languages import NAMES
from services.notes.clinical.language import CANDIDATES

NOW = datetime(2026, 3, 14, tzinfo=UTC)


def note(name: str, language: str | None) -> NoteInput:
    return NoteInput(name, "Fever.", NOW, "34111-5", language)


def test_notes_in_another_language_are_left_out() -> None:
    notes = [note("a", "es"), note("b", "en"), note("c", None), note("d", "und")]
    assert [one.id for one in readable_notes(notes)] == ["b", "c", "d"]


def test_each_note_that_is_set_aside_is_listed_with_its_reason() -> None:
    listed = set_aside([note("a", "es"), note("b", "en"), note("c", "de")])
    assert [item["note"] for item in listed] == ["a", "c"]
    assert listed[1]["reason"] == "it is written in German, and this model reads English alone"


def test_reason_is_a_sentence_that_a_clinician_understands() -> None:
    outcome = ModalityOutcome(False, ("a",), {}, None, True, foreign_reason([note("a", "es")]))
    told, helps = what_would_help({"note": outcome, "image": ModalityOutcome(True, (), {}, 0.1, False, None)})
    assert told == "The clinical note was set aside: it is written in Spanish, and this model reads English alone."
    assert "a clinical note that this model can read" in helps


def test_every_language_that_the_notes_service_tells_has_a_name() -> None:
    assert set(CANDIDATES) - {"en"} == set(NAMES)
