"""Which section of the note a word stands in: the same words mean another thing in the history than in the assessment.

A heading is a short known phrase at the start of a line or sentence, closed by a colon, or alone on its line or in
brackets. The set is small and fixed, because an embedding is learned for each; whatever has no known heading is `BODY`.
"""

from __future__ import annotations

import re

SECTIONS = (
    "body", "complaint", "history", "past history", "family", "medication", "examination", "results", "assessment",
)  # fmt: skip
"""Index -> section. The order is part of every trained encoder: append only."""
BODY = 0

_HEADINGS: dict[str, str] = {
    "complaint": r"chief complaint|presenting complaint|presentation|reason for (?:attendance|referral|visit)|"
    r"indication|clinical (?:indication|information)|cc|c/o|pc",
    "history": r"history of (?:the )?present(?:ing)? (?:illness|complaint)|clinical history|symptoms reported|history|"
    r"interval history|subjective|hpi|hpc|s",
    "past history": r"past (?:medical|surgical) history|background|long[- ]term conditions|comorbidities|"
    r"medical history|pmhx?|pmh|psh|bg",
    "family": r"family (?:history|hx)|social history|illness in relatives|fhx|fh|fam|shx|sh",
    "medication": r"(?:current |home )?medications?(?: on admission)?|current treatment|drug history|treatment|"
    r"allerg(?:y|ies)|meds|rx|dhx?",
    "examination": r"physical exam(?:ination)?|findings on examination|examination|exam|vital signs|vitals|objective|"
    r"on examination|o/e|pe|o",
    "results": r"laboratory (?:tests?|results?|data)|labs?|results|investigations|imaging(?: notes?| examination)?|"
    r"findings|radiology|chest (?:x-?ray|radiograph)|cxr|ecg|comparison|technique",
    "assessment": r"(?:assessment|impression|opinion|diagnosis|discussion|conclusion|summary|plan)"
    r"(?: (?:and|&) (?:plan|actions|recommendations))?|a/p|a&p|imp|dx|a|p",
}
_ANY = "|".join(f"(?P<{name.replace(' ', '_')}>{words})" for name, words in _HEADINGS.items())
_START = r"(?:^|(?<=[.!?;] ))[ \t]*"
_PLAIN = re.compile(rf"{_START}(?:{_ANY})[ \t]*(?::|(?<=\w\w\w\w)(?=$))", re.IGNORECASE | re.MULTILINE)
_MARKED = re.compile(
    rf"{_START}(?:\[|<|\*+|=+|#+)[ \t]*(?:{_ANY}|[A-Za-z][A-Za-z /]{{1,30}}?)[ \t]*(?:\]|>|\*+|=+|:|$)",
    re.IGNORECASE | re.MULTILINE,
)
"""A marked heading closes the section before it even when it is none that we know."""
Span = tuple[int, int, int]
"""(start, end, section), in characters."""


def find_sections(text: str) -> tuple[Span, ...]:
    """Character ranges under a known heading, the heading itself included, in order; what lies before is the body."""
    found = {match.start(): match for pattern in (_PLAIN, _MARKED) for match in pattern.finditer(text)}
    starts = sorted(found)
    ends = [*starts[1:], len(text)][: len(starts)]
    return tuple(
        (start, end, SECTIONS.index((found[start].lastgroup or "body").replace("_", " ")))
        for start, end in zip(starts, ends, strict=True)
    )


def section_at(sections: tuple[Span, ...], start: int) -> int:
    """The section of the character `start`."""
    return next((kind for left, right, kind in sections if left <= start < right), BODY)
