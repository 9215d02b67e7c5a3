"""The NegEx test kit: sentences with a marked condition, cut into a half to tune on and a half to report."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from services.notes.clinical.contexts import find_contexts
from services.notes.clinical.cues import Flag
from services.notes.clinical.sections import find_sections

GOLD = {
    Flag.NEGATED: ("negation", "Negated"),
    Flag.HISTORICAL: ("temporality", "Historical"),
    Flag.UNCERTAIN: ("temporality", "Not particular"),
    Flag.FAMILY: ("experiencer", "Family member"),
}
"""Our flag -> column and value of the kit. `Not particular` is what may come, such as `return if she has fever`."""


@dataclass(frozen=True)
class Marked:
    """One sentence, its marked condition in [start, end), and the gold values."""

    text: str
    start: int
    end: int
    gold: dict[str, str]

    def is_gold(self, flag: Flag) -> bool:
        """Whether the annotators gave this flag."""
        column, value = GOLD[flag]
        return self.gold[column] == value


@dataclass(frozen=True)
class Counts:
    """The four cells of a comparison with gold."""

    hits: int
    false_alarms: int
    misses: int
    rejections: int

    @property
    def precision(self) -> float:
        """Of what was flagged, the share that is gold."""
        return self.hits / max(1, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        """Of what is gold, the share that was flagged."""
        return self.hits / max(1, self.hits + self.misses)

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return 2 * self.hits / max(1, 2 * self.hits + self.false_alarms + self.misses)


Judge = Callable[[Marked], bool]


def read_half(path: Path, half: int) -> list[Marked]:
    """Half 0 is for tuning, half 1 for reporting; the same sentence never stands in both."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [_marked(row) for row in rows if _half_of(row["sentence"]) == half]


def _half_of(sentence: str) -> int:
    return hashlib.sha256(" ".join(sentence.lower().split()).encode()).digest()[0] % 2


def _marked(row: dict[str, str]) -> Marked:
    """The kit writes the condition in capitals. A few conditions go on beyond their sentence: those mark all of it."""
    text, words = row["sentence"], row["condition"].split()
    found = _search([word.upper() for word in words], text) or re.search(_pattern(words), text, re.IGNORECASE)
    start, end = found.span() if found else (0, len(text))
    return Marked(text, start, end, row)


def _search(words: list[str], text: str) -> re.Match[str] | None:
    return re.search(_pattern(words), text)


def _pattern(words: list[str]) -> str:
    return r"\s+".join(map(re.escape, words))


def ours(flag: Flag) -> Judge:
    """Whether our rules give a flag to the marked condition."""
    return lambda one: flag in find_contexts(one.text, find_sections(one.text)).of(one.start, one.end)


def compare(sentences: list[Marked], flag: Flag, judge: Judge) -> Counts:
    """How a judge does against the annotators."""
    cells = [(judge(one), one.is_gold(flag)) for one in sentences]
    return Counts(*(cells.count(cell) for cell in _CELLS))


_CELLS = ((True, True), (True, False), (False, True), (False, False))


def disagreements(sentences: list[Marked], flag: Flag, judge: Judge) -> Iterator[Marked]:
    """Where a judge and the annotators differ; look at those of half 0 alone."""
    return (one for one in sentences if judge(one) != one.is_gold(flag))
