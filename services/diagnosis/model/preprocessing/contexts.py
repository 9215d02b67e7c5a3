"""Which words of a note are denied, and which speak of somebody else: cues and scopes after NegEx (Chapman 2001)."""

from __future__ import annotations

import re

PLAIN, NEGATED, FAMILY = 0, 1, 2

_BEFORE = re.compile(
    r"\(-\)|\b(?:no evidence (?:of|for)|no signs? of|no history of|negative for|neg for|free of|absence of|without|"
    r"denies|denied|denying|rules? out|ruled out for|never had|not|no|nil|w/o)\b",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\b(?:(?:is|was|are|were|been) )?(?:ruled out|excluded|absent|unlikely|denied|not (?:seen|present|identified))\b",
    re.IGNORECASE,
)
_FAMILY = re.compile(
    r"\b(?:family history|family hx|fhx?|fam hx|mother|father|brother|sister|aunt|uncle|grandmother|grandfather)\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[.;:!?](?=\s|$)|\n|\b(?:but|however|although|except|though|yet|with)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.;!?](?=\s|$)|\n")
Scope = tuple[int, int, int]
"""(start, end, kind), in characters."""


def find_scopes(text: str) -> tuple[Scope, ...]:
    """Character ranges under a negation or about the family, in order of their start."""
    scopes = [(match.start(), _next(_CLAUSE_END, text, match.end()), NEGATED) for match in _BEFORE.finditer(text)]
    scopes += [(_previous(_CLAUSE_END, text, match.start()), match.end(), NEGATED) for match in _AFTER.finditer(text)]
    scopes += [
        (_previous(_SENTENCE_END, text, match.start()), _next(_SENTENCE_END, text, match.end()), FAMILY)
        for match in _FAMILY.finditer(text)
    ]
    return tuple(sorted(scopes))


def context_at(scopes: tuple[Scope, ...], start: int, end: int) -> int:
    """The context of characters [start, end): family outranks negation, negation outranks plain."""
    kinds = [kind for left, right, kind in scopes if left < end and start < right]
    return max(kinds, default=PLAIN)


def _next(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.search(text, start)
    return match.start() if match else len(text)


def _previous(pattern: re.Pattern[str], text: str, end: int) -> int:
    ends = [match.end() for match in pattern.finditer(text, 0, end)]
    return ends[-1] if ends else 0
