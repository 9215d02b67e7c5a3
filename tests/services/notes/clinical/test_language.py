"""English is never called something else; another language is told once there is enough of it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from services.notes.clinical.language import detect_language

SPANISH = (
    "Paciente de 70 años que acude por fiebre y tos productiva de tres días de evolución. No refiere dolor torácico."
)
GERMAN = "72-jähriger Patient mit Fieber und produktivem Husten seit drei Tagen. Kein Brustschmerz, keine Atemnot."


@pytest.mark.parametrize(("text", "code"), [(SPANISH, "es"), (GERMAN, "de")])
def test_another_language_is_told(text: str, code: str) -> None:
    found = detect_language(text)
    assert (found.code, found.is_foreign) == (code, True)


@pytest.mark.parametrize(
    "text",
    [
        "SOB x3d, CP neg, HTN, DM2, CAD s/p CABG. BP 120/80 HR 90 RR 18 SpO2 94% RA. CXR RLL infiltrate. A/P: CAP",
        "AF RVR, NSTEMI, trop 0.4",
        "No allergies.",
        "CHEST PAIN.",
        "Pt c/o cp, sob. Hx COPD. O2 2L NC. Afebrile. WBC 14.2",
        "120/80 90 18 94%",
    ],
)
def test_terse_english_is_never_flagged(text: str) -> None:
    assert not detect_language(text).is_foreign


def test_spanish_notes_are_flagged_and_english_sections_are_not(reference_data: Path) -> None:
    notes = reference_data / "notes"
    if not notes.is_dir():
        pytest.skip("the real notes are not beside this checkout (../shared/data/notes)")
    spanish = [path.read_text(encoding="utf-8") for path in sorted((notes / "nubes-es").glob("*.txt"))]
    assert [detect_language(text).code for text in spanish] == ["es"] * len(spanish)
    with (notes / "mts-dialog" / "MTS-Dialog-ValidationSet.csv").open(encoding="utf-8", newline="") as file:
        english = [row["section_text"] for row in csv.DictReader(file)]
    assert not [text for text in english if detect_language(text).is_foreign]
