"""A note in another language is set aside with a reason, and never scored as English."""

from __future__ import annotations

from datetime import UTC, datetime

from services.diagnosis.case import NoteInput
from services.diagnosis.inference.languages import NAMES, foreign_reason, readable_notes
from services.diagnosis.inference.prediction import ModalityOutcome
from services.diagnosis.inference.reasons import what_would_help
from services.notes.clinical.language import CANDIDATES

NOW = datetime(2026, 3, 14, tzinfo=UTC)


def note(name: str, language: str | None) -> NoteInput:
    return NoteInput(name, "Fever.", NOW, "34111-5", language)


def test_notes_in_another_language_are_left_out() -> None:
    notes = [note("a", "es"), note("b", "en"), note("c", None), note("d", "und")]
    assert [one.id for one in readable_notes(notes)] == ["b", "c", "d"]


def test_reason_is_a_sentence_that_a_clinician_understands() -> None:
    outcome = ModalityOutcome(False, ("a",), {}, None, True, foreign_reason([note("a", "es")]))
    told, helps = what_would_help({"note": outcome, "image": ModalityOutcome(True, (), {}, 0.1, False, None)})
    assert told == "The clinical note was set aside: it is written in Spanish, and this model reads English alone."
    assert "a clinical note that this model can read" in helps


def test_every_language_that_the_notes_service_tells_has_a_name() -> None:
    assert set(CANDIDATES) - {"en"} == set(NAMES)
