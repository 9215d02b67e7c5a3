"""Pieces of notes: a few sentences without the rest, so that short notes and notes without sections are familiar.

A fragment says nothing of what it leaves out: its best belief is given only the findings that it states, while a whole
note that is silent on a finding speaks against it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import numpy as np

Spans = tuple[tuple[int, int, str, bool], ...]
_BETWEEN = re.compile(r"(?<=[.;!?])\s+|\s*\n\s*")


def sentences(text: str) -> tuple[tuple[int, int], ...]:
    """Character ranges of sentences and lines, without the blanks between them."""
    found, start = [], 0
    for gap in _BETWEEN.finditer(text):
        if gap.start() > start:
            found.append((start, gap.start()))
        start = gap.end()
    return (*found, (start, len(text))) if start < len(text) else tuple(found)


def cut(text: str, spans: Spans, rng: np.random.Generator) -> tuple[str, Spans]:
    """One sentence to half of all, in a row, and the spans that lie wholly in them, counted from the new start."""
    ranges = sentences(text)
    count = int(rng.integers(1, max(2, len(ranges) // 2 + 1)))
    first = int(rng.integers(0, len(ranges) - count + 1))
    start, end = ranges[first][0], ranges[first + count - 1][1]
    kept = tuple(
        (left - start, right - start, finding, negated)
        for left, right, finding, negated in spans
        if start <= left and right <= end
    )
    return text[start:end], kept


def stated(findings: Mapping[str, str], spans: Spans) -> dict[str, str]:
    """The findings that the spans state."""
    names: Collection[str] = {finding for _, _, finding, _ in spans}
    return {name: value for name, value in findings.items() if name in names}
