"""Where the sentences of a note are: a cue never reaches beyond its own."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_END = re.compile(
    r"""
    (?P<stop>(?<![.!?])[.!?]++["')\]]*+(?=\s|$))   # a full stop before white space …
    | ;\s
    | \s(?=\d{1,2}\)\s)                     # an item of a list within a line
    | \n(?=[ \t]*(?:\n|$))                 # an empty line
    | \n(?=[ \t]*(?:[-*\u2022#>]|\d{1,2}[.)]\s))   # an item of a list
    | \n(?=[ \t]*[^\sa-z])                 # a line that does not go on in lower case
    """,
    re.VERBOSE,
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|e\.g|i\.e|pt|approx|Fig|ca|resp)|(?:^|\s)\d{1,2}|\b[A-Z])$", re.IGNORECASE
)
"""What a full stop may follow without ending a sentence: titles, `vs.`, numbers of a list, initials."""


@dataclass(frozen=True)
class Sentences:
    """The ends of a text's sentences, in order; the last one is the text's own."""

    ends: tuple[int, ...]

    def around(self, position: int) -> tuple[int, int]:
        """(start, end) of the sentence that holds a character."""
        index = min(bisect_right(self.ends, position), len(self.ends) - 1)
        return (self.ends[index - 1] if index else 0), self.ends[index]


def find_sentences(text: str) -> Sentences:
    """Cut a text at full stops, semicolons, list items and line ends that end something."""
    ends = [match.end() for match in _END.finditer(text) if not _is_abbreviation(text, match)]
    return Sentences(tuple(ends) if ends and ends[-1] == len(text) else (*ends, len(text)))


def _is_abbreviation(text: str, match: re.Match[str]) -> bool:
    if match["stop"] != ".":
        return False
    return bool(_ABBREVIATION.search(text, max(0, match.start() - 8), match.start()))
