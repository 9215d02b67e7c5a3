"""The sections of a note by their headings, whatever a hospital calls them.

A heading is a known phrase at the start of a line, closed by a colon, a dash or the end of the line; or in capitals
with a colon after a full stop. An unknown line in capitals, or one that a colon ends, opens a section of kind `other`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class SectionKind(StrEnum):
    """What a section is about."""

    COMPLAINT = "complaint"
    PRESENT_HISTORY = "history-of-present-illness"
    PAST_HISTORY = "past-history"
    FAMILY_HISTORY = "family-history"
    SOCIAL_HISTORY = "social-history"
    MEDICATIONS = "medications"
    ALLERGIES = "allergies"
    REVIEW_OF_SYSTEMS = "review-of-systems"
    EXAMINATION = "examination"
    VITAL_SIGNS = "vital-signs"
    RESULTS = "results"
    PROCEDURE = "procedure"
    COURSE = "course"
    ASSESSMENT = "assessment"
    PLAN = "plan"
    OTHER = "other"


@dataclass(frozen=True)
class Section:
    """Characters [start, end) of a text; its words begin at `body`, after the heading."""

    start: int
    body: int
    end: int
    kind: SectionKind


_K = SectionKind
_HEADINGS: dict[SectionKind, str] = {
    _K.COMPLAINT: r"(?:chief|presenting|main|primary) complaints?|cc|pc|c/o|presentation|(?:reason|indications?) for "
    r"(?:attendance|referral|visit|admission|consult(?:ation)?|exam(?:ination)?|study|hospital admission)|"
    r"(?:clinical )?indications?|clinical information|clinical question",
    _K.PRESENT_HISTORY: r"histor(?:y|ies) of (?:the )?present(?:ing)? (?:illness|complaint)s?|hpi|hpc|hopi|subjective|"
    r"(?:clinical|interval|patient|present|brief) history|history|symptoms(?: reported)?",
    _K.PAST_HISTORY: r"(?:past |prior |previous )?(?:medical|surgical|psychiatric|obstetric(?:al)?|"
    r"gyn[ae]*cologic(?:al)?)"
    r"(?:(?:/| )(?:and )?(?:medical|surgical|psychiatric))? (?:history|hx)|past history|pmh?x?|pshx?|psh|"
    r"background(?: history)?|comorbidities|long[- ]term conditions|problem list|past medical problems",
    _K.FAMILY_HISTORY: r"family (?:medical )?(?:history|hx)|fhx?|fam(?: hx)?|illness in relatives",
    _K.SOCIAL_HISTORY: r"(?:personal and )?social (?:history|hx)|shx?|habits|substance use",
    _K.MEDICATIONS: r"(?:current |home |discharge |outpatient |active |prior to admission ){0,3}(?:medications?|meds|"
    r"drugs)"
    r"(?: on admission| list| at discharge)?|current treatment|drug history|rx|dhx?",
    _K.ALLERGIES: r"(?:drug |medication )?allerg(?:y|ies)(?: and adverse reactions)?|nkda|adverse reactions",
    _K.REVIEW_OF_SYSTEMS: r"review of systems|ros|systems? review|systemic enquiry",
    _K.EXAMINATION: r"(?:physical |general |clinical )?exam(?:ination)?|(?:physical )?findings on examination|pe|o/e|"
    r"on examination|objective|mental status(?: exam(?:ination)?)?",
    _K.VITAL_SIGNS: r"vital(?: sign)?s(?: reviewed)?|observations|obs|vs",
    _K.RESULTS: r"(?:pertinent |relevant )?(?:laboratory|lab|diagnostic|test)s?(?: (?:and )?(?:data|results?|tests?|"
    r"findings|studies|imaging)){0,3}|results?|investigations?|imaging(?: (?:notes?|examination|studies|results))?|"
    r"findings|radiology|(?:chest )?(?:x-?rays?|radiographs?)|cxr|ekg|ecg|echocardiogram|comparisons?|technique",
    _K.PROCEDURE: r"procedures?(?: performed)?|operations?(?: performed)?|examination performed|surgery",
    _K.COURSE: r"(?:hospital|ed|emergency department|clinical|postoperative) course|progress|interval events",
    _K.ASSESSMENT: r"(?:assessment|impressions?|opinion|discussion|conclusions?|summary|"
    r"(?:(?:discharge|admission|admitting|final|principal|primary|secondary|preoperative|postoperative|referring|"
    r"working|differential) )?diagnos(?:is|es))(?: (?:and|&) (?:plan|actions|recommendations))?|a/p|a&p|imp|ddx|dx",
    _K.PLAN: r"(?:(?:treatment|care|discharge|management) )?plan(?: of (?:care|treatment))?|recommendations?|"
    r"(?:(?:discharge|patient|follow[- ]?up) )?instructions?|disposition|follow[- ]?up|actions",
}
_SHORT = {
    _K.PRESENT_HISTORY: "s", _K.EXAMINATION: "o", _K.ASSESSMENT: "a", _K.PLAN: "p",
}  # fmt: skip
"""The letters of a SOAP note: with a colon alone."""


def _alternatives(tables: dict[SectionKind, str]) -> str:
    return "|".join(f"(?P<{kind.name}>{words.replace(' ', ' +')})" for kind, words in tables.items())


_MARK = r"[ \t]*+(?:[-*#>\u2022=\[<_]++[ \t]*+|\d{1,2}[.)][ \t]++)?"
_CLOSE = r"[ \t]*(?:[*\]>=_]*[ \t]*:[*]*|[*\]>=_]+[ \t]*$|[ \t]-{1,2}[ \t]|[ \t]\u2013[ \t]|$)"
_LINE = re.compile(rf"^{_MARK}(?:{_alternatives(_HEADINGS)}){_CLOSE}", re.IGNORECASE | re.MULTILINE)
_LETTER = re.compile(rf"^{_MARK}(?:{_alternatives(_SHORT)})[ \t]*:", re.IGNORECASE | re.MULTILINE)
_INLINE = re.compile(rf"(?:(?<=[.!?\]] )|(?<=  ))(?:{_alternatives(_HEADINGS)})[ ]*:", re.IGNORECASE)
_UNKNOWN = re.compile(
    rf"^{_MARK}(?=[^\n]*[A-Z])(?:[A-Z][A-Z0-9 /&,()'-]{{3,60}}[ \t]*:?|[A-Z][A-Za-z/&' -]{{2,40}}:)[ \t]*$",
    re.MULTILINE,
)


def find_sections(text: str) -> tuple[Section, ...]:
    """The sections in order; what stands before the first heading is in none."""
    found: dict[int, tuple[int, SectionKind]] = {}
    for match in _UNKNOWN.finditer(text):
        found[_first_letter(text, match)] = (match.end(), SectionKind.OTHER)
    for pattern in (_INLINE, _LETTER, _LINE):
        for match in pattern.finditer(text):
            start, is_inline = _first_letter(text, match), pattern is _INLINE
            if is_inline and not text[start].isupper():
                continue
            found[start] = (match.end(), SectionKind[match.lastgroup or ""])
    starts = sorted(found)
    ends = [*starts[1:], len(text)][: len(starts)]
    return tuple(
        Section(start, min(found[start][0], end), end, found[start][1]) for start, end in zip(starts, ends, strict=True)
    )


def section_at(sections: Sequence[Section], position: int) -> Section | None:
    """The section that holds a character."""
    index = bisect_right(sections, position, key=lambda section: section.start)
    return sections[index - 1] if index else None


def _first_letter(text: str, match: re.Match[str]) -> int:
    return next(index for index in range(match.start(), match.end()) if text[index].isalnum())
