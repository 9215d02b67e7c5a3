"""A note cut into phrases: what a reader would point at, between punctuation and conjunctions.

A finding is written as a noun phrase inside a statement ("He denies sharp pain on breathing."). The whole statement
carries the attribution, for the verb and the denial belong to it; what is shown is the statement without the words that
say who states it and how surely.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WORD = re.compile(r"\w+(?:[-'/]\w+)*")
_BREAK = re.compile(
    r"[.;:!?](?=\s|$)|\n|,|[*+]|\(-\)|\b(?:and|or|but|however|although|except|though|yet)\b", re.IGNORECASE
)
_FRAME = frozenset(
    re.findall(
        r"\S+",
        """
        a an the of for to in on at by with w w/ w/o from as is was are were be been being has have had having
        there this that he she his her him they them their it its we i pt patient family no not nil never none
        denies denied denying without negative neg absence evidence sign signs e/o free reports reported
        reporting endorses endorsed describes described notes noted complains complaining c/o presents presented
        presenting came come brought says states told possible poss possibly probable perhaps questionable
        equivocal maybe may might unsure unclear about suspects suspected exam shows showed shown examination
        documented significant known hx h/o history s/p absent excluded unlikely present seen identified ruled
        out positive pos some any also still found once clear
        """,
    )
)
"""Words that frame a finding and are none, left out at either end of a phrase."""


@dataclass(frozen=True)
class Phrase:
    """Characters [start, end) of a statement, and [first, last) of what it states."""

    start: int
    end: int
    first: int
    last: int


def find_phrases(text: str) -> tuple[Phrase, ...]:
    """The phrases of a note in order; statements of framing words alone are left out."""
    found, start = [], 0
    for end, resume in [*(match.span() for match in _BREAK.finditer(text)), (len(text), len(text))]:
        words = [match.span() for match in WORD.finditer(text, start, end)]
        stated = _without_frame(text, words)
        if stated:
            found.append(Phrase(words[0][0], words[-1][1], stated[0][0], stated[-1][1]))
        start = resume
    return tuple(found)


def _without_frame(text: str, words: list[tuple[int, int]]) -> list[tuple[int, int]]:
    inside = [i for i, (start, end) in enumerate(words) if text[start:end].lower() not in _FRAME]
    return words[inside[0] : inside[-1] + 1] if inside else []
