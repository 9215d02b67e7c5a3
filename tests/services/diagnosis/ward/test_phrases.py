"""The words of findings: enough of them, none of a diagnosis, and cues that say what they mean."""

from __future__ import annotations

import re

import pytest

from services.diagnosis.ward import fillers, phrases
from services.diagnosis.ward.tables import WARD

NOTE_FINDINGS = {finding.name for finding in WARD.findings if finding.modality == "note"}
WAYS_TO_NEGATE = re.compile(
    r"\b(den(y|ies|ied)|no|not|nil|without|negative|neg|never|absent)\b|w/o|\(-\)", re.IGNORECASE
)
WRITTEN = [
    text
    for collection in (
        *phrases.PHRASES.values(), *(p for values in phrases.PAIR_PHRASES.values() for p in values.values()),
        *phrases.UNREMARKABLE.values(), *phrases.HEADINGS.values(), phrases.ABBREVIATIONS.values(),
        *fillers.FILLERS, *fillers.BACKGROUND, *fillers.OF_MEN, *fillers.OF_WOMEN, *fillers.EXAM_FILLERS,
        *fillers.OPENINGS.values(), *fillers.TITLES.values(), fillers.COMPLAINTS, fillers.PLANS, fillers.SHORT_PLANS,
        fillers.FAMILY_DISEASES, fillers.PAST, fillers.PAST_FINDINGS, fillers.CAUTIONS, fillers.CAUTION_FINDINGS,
        fillers.STALE, fillers.COPIED_HEADS, fillers.FLOWSHEET, fillers.SIGNATURES, fillers.MEDICATIONS,
    )
    for text in collection
]  # fmt: skip


@pytest.mark.parametrize("name", phrases.FORBIDDEN)
def test_nothing_that_may_be_written_names_a_label(name: str) -> None:
    assert not [text for text in WRITTEN if re.search(rf"\b{name}\b", text.lower())]


def test_every_finding_has_a_section_and_at_least_six_paraphrases() -> None:
    assert phrases.PHRASES.keys() | phrases.PAIR_PHRASES.keys() == NOTE_FINDINGS == phrases.SECTIONS.keys()
    assert all(len(set(options)) >= 6 for options in phrases.PHRASES.values())
    assert all(len(set(options)) >= 6 for values in phrases.PAIR_PHRASES.values() for options in values.values())


@pytest.mark.parametrize("form", phrases.CUES)
def test_every_form_can_say_everything_in_every_section(form: str) -> None:
    statements = {(section, status) for section in ("hpi", "exam", "pmh") for status in ("asserted", "negated")}
    assert phrases.LISTS[form].keys() == statements
    assert phrases.CUES[form].keys() == statements | {(section, "uncertain") for section in ("hpi", "exam", "pmh")}
    assert phrases.JOINTS[form].keys() == {"asserted", "negated"}


@pytest.mark.parametrize("cues", [*phrases.CUES.values(), *phrases.LISTS.values()])
def test_a_denial_is_in_its_cue_and_nowhere_else(cues: phrases.Cues) -> None:
    for (_, status), sentences in cues.items():
        for sentence in sentences:
            assert sentence.count("_") == 1
            bare = sentence.replace("no records", "").replace("cannot say", "")
            assert bool(WAYS_TO_NEGATE.search(bare)) == (status == "negated"), sentence


def test_what_is_unremarkable_is_no_finding_of_the_ward() -> None:
    said = {p.lower() for options in phrases.PHRASES.values() for p in options}
    background = " ".join(text for group in fillers.BACKGROUND for text in group).lower()
    for options in phrases.UNREMARKABLE.values():
        for text in options:
            assert text not in said
            assert text not in background


def test_trivia_say_nothing_of_findings() -> None:
    trivia = [
        text.lower() for group in (*fillers.FILLERS, *fillers.BACKGROUND, *fillers.EXAM_FILLERS) for text in group
    ]
    trivia += [text.lower() for text in (*fillers.STALE, *fillers.PLANS, *fillers.SHORT_PLANS, *fillers.COMPLAINTS)]
    words = {phrase.lower() for options in phrases.PHRASES.values() for phrase in options}
    assert not [(text, word) for text in trivia for word in words if re.search(rf"\b{re.escape(word)}\b", text)]


def test_a_line_about_vital_signs_tells_none() -> None:
    assert not [line for line in fillers.FLOWSHEET if re.search(r"\d", line)]
