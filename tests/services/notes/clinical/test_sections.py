"""Sections by their headings."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notes.clinical.sections import SectionKind, find_sections

K = SectionKind


def kinds_in(text: str) -> list[tuple[str, SectionKind]]:
    return [(text[one.start : one.body].strip(), one.kind) for one in find_sections(text)]


def test_headings_of_several_hands_are_told() -> None:
    text = (
        "CC: cough\n\nHISTORY OF PRESENT ILLNESS\nTwo days.\n**Past Medical History:** none\n[Meds]\nAspirin\nA/P: rest"
    )
    assert [kind for _, kind in kinds_in(text)] == [
        K.COMPLAINT, K.PRESENT_HISTORY, K.PAST_HISTORY, K.MEDICATIONS, K.ASSESSMENT,
    ]  # fmt: skip


def test_heading_within_a_line_needs_a_capital_and_a_colon() -> None:
    text = "COMPARISON: None. FINDINGS: Clear lungs. No findings: nothing. IMPRESSION: Normal."
    assert [heading for heading, _ in kinds_in(text)] == ["COMPARISON:", "FINDINGS:", "IMPRESSION:"]


def test_unknown_heading_closes_the_section_before_it() -> None:
    assert kinds_in("FAMILY HISTORY\nAsthma.\n\nCARE TEAM\nDr. Roe")[1] == ("CARE TEAM", K.OTHER)


def test_sentence_that_begins_like_a_heading_is_none() -> None:
    assert kinds_in("History of asthma.\nPlan to rest at home.\nResults were normal.") == []


@given(st.text(alphabet="A :.\n-*HPIfindgs", max_size=200))
def test_sections_follow_one_another_to_the_end_of_the_text(text: str) -> None:
    sections = find_sections(text)
    assert all(one.start < one.body <= one.end for one in sections)
    assert [one.end for one in sections] == [*(one.start for one in sections[1:]), len(text)][: len(sections)]


def test_headings_in_capitals_of_visit_notes_are_known(reference_data: Path) -> None:
    path = reference_data / "notes" / "aci-bench" / "valid.csv"
    if not path.is_file():
        pytest.skip("the visit notes are not beside this checkout (../shared/data/notes/aci-bench)")
    with path.open(encoding="utf-8", newline="") as file:
        notes = [row["note"] for row in csv.DictReader(file)]
    found = [kind for note in notes for _, kind in kinds_in(note)]
    assert len(found) > 100
    assert found.count(K.OTHER) < 0.1 * len(found)
