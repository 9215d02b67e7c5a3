"""How the findings of a note are meant: denied, uncertain, another person's, of the past."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.notes.clinical.cues import PSEUDO, REACH, RULES, STOP, CueRule, Flag
from services.notes.clinical.sections import Section, SectionKind, section_at
from services.notes.clinical.sentences import Sentences, find_sentences

_OF_SECTION = {SectionKind.FAMILY_HISTORY: Flag.FAMILY, SectionKind.PAST_HISTORY: Flag.HISTORICAL}
_COLON = re.compile(r"\s{0,3}:")
_LIST_MARKS = ",;\n"
Span = tuple[int, int]


@dataclass(frozen=True)
class Scope:
    """The characters that a cue speaks of."""

    start: int
    end: int
    flag: Flag


@dataclass(frozen=True)
class Contexts:
    """The scopes of one text in the order of their starts, and its sections."""

    scopes: Sequence[Scope]
    sections: Sequence[Section]

    def of(self, start: int, end: int) -> frozenset[Flag]:
        """How the words in [start, end) are meant; none of the flags: affirmed, of the patient, now."""
        first = bisect_left(self.scopes, start - REACH - 4, key=lambda scope: scope.start)
        last = bisect_right(self.scopes, start, key=lambda scope: scope.start)
        flags = {scope.flag for scope in self.scopes[first:last] if start < scope.end}
        section = section_at(self.sections, start)
        if section and section.kind in _OF_SECTION:
            flags.add(_OF_SECTION[section.kind])
        # Of what somebody else has, the past is not the patient's.
        return frozenset(flags - {Flag.HISTORICAL} if Flag.FAMILY in flags else flags)


def find_contexts(text: str, sections: Sequence[Section]) -> Contexts:
    """The scopes of all cues of a text."""
    sentences = find_sentences(text)
    pseudo = [match.span() for match in PSEUDO.finditer(text)]
    stops = {flag: [match.span() for match in pattern.finditer(text)] for flag, pattern in STOP.items()}
    scopes = [scope for rule in RULES for scope in _scopes(text, rule, sentences, pseudo, stops[rule.flag])]
    return Contexts(sorted(scopes, key=lambda scope: scope.start), sections)


def _scopes(
    text: str, rule: CueRule, sentences: Sentences, pseudo: Sequence[Span], stops: Sequence[Span]
) -> Iterator[Scope]:
    for match in rule.pattern.finditer(text):
        start, end = match.span()
        # `Not excluded` denies nothing, and is uncertain all the same.
        if rule.flag is not Flag.UNCERTAIN and _is_within(pseudo, start, end):
            continue
        first, last = sentences.around(start)
        if rule.reach == "forward":
            yield Scope(end, _forward(text, rule, end, last, stops), rule.flag)
        else:
            yield Scope(_backward(text, rule, first, start, stops), start, rule.flag)


def _is_within(spans: Sequence[Span], start: int, end: int) -> bool:
    """Whether [start, end) overlaps one of the spans, which are in order and apart from one another."""
    index = bisect_left(spans, end, key=lambda span: span[0])
    return index > 0 and spans[index - 1][1] > start


def _forward(text: str, rule: CueRule, start: int, end: int, stops: Sequence[Span]) -> int:
    # `Negative for: cough, fever` goes on after its colon.
    colon = _COLON.match(text, start, end)
    begin = colon.end() if colon else start
    index = bisect_left(stops, begin, key=lambda span: span[0])
    return min(end, begin + rule.characters, *(span[0] for span in stops[index : index + 1]))


def _backward(text: str, rule: CueRule, start: int, end: int, stops: Sequence[Span]) -> int:
    index = bisect_right(stops, end, key=lambda span: span[1])
    begin = max(start, end - rule.characters, *(span[1] for span in stops[index - 1 : index] if index))
    if rule.reach == "item":
        begin = max(begin, *(text.rfind(mark, begin, end) + 1 for mark in _LIST_MARKS))
    return begin
