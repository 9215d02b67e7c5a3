from __future__ import annotations

import pytest

from services.diagnosis.model.preprocessing.sections import SECTIONS, find_sections, section_at

NOTE = """ED triage note
CC: short of breath
HISTORY OF PRESENT ILLNESS: three days of cough. No history of asthma.
Past medical history: hypertension
FHx: mother had asthma
Meds: amlodipine
O/E: crackles left base
Impression
infection likely"""


@pytest.mark.parametrize(
    ("word", "section"),
    [
        ("triage", "body"),
        ("short", "complaint"),
        ("cough", "history"),
        ("asthma.", "history"),
        ("hypertension", "past history"),
        ("mother", "family"),
        ("amlodipine", "medication"),
        ("crackles", "examination"),
        ("infection", "assessment"),
    ],
)
def test_words_stand_in_the_section_a_reader_gives_them(word: str, section: str) -> None:
    assert SECTIONS[section_at(find_sections(NOTE), NOTE.index(word))] == section


def test_a_heading_may_follow_a_sentence_on_its_line() -> None:
    text = "Admitted from home. Presentation: fever. Imaging Notes: basal shadow."
    names = [SECTIONS[section_at(find_sections(text), text.index(word))] for word in ("home", "fever", "shadow")]
    assert names == ["body", "complaint", "results"]


def test_a_marked_heading_that_is_unknown_ends_the_section_before_it() -> None:
    text = "[HISTORY]: cough\n[EXAMINER]: crackles"
    names = [SECTIONS[section_at(find_sections(text), text.index(word))] for word in ("cough", "crackles")]
    assert names == ["history", "body"]


def test_words_inside_a_sentence_are_no_headings() -> None:
    assert find_sections("The history is long and the examination was normal.") == ()
    assert find_sections("") == ()
