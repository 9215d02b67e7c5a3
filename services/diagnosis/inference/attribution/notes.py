"""Which words of the notes: word pieces to words, words to spans, and whether a span is denied in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.inference.attribution.gradients import rescale_to
from services.diagnosis.inference.inputs import PreparedNotes
from services.diagnosis.inference.prediction import NoteExplanation, NoteSpan
from services.diagnosis.model.preprocessing.contexts import NEGATED, context_at, find_scopes

MAX_SPANS = 12
_WORD = re.compile(r"\w+(?:[-'/]\w+)*")
_GAP = re.compile(r"[^.;:\n]{0,3}")


@dataclass(frozen=True)
class _Candidate:
    note: int
    start: int
    end: int
    contribution: float


def explain_notes(
    prepared: PreparedNotes, pieces: NDArray[np.float64], contribution: float
) -> tuple[NoteExplanation, ...]:
    """Spans of each note from attributions [windows, pieces]; over all notes they sum to `contribution`."""
    words = _words(prepared, pieces)
    strongest = max((abs(word.contribution) for word in words), default=0.0)
    spans = _merge(prepared, [word for word in words if abs(word.contribution) >= 0.12 * strongest])
    chosen = sorted(spans, key=lambda span: -abs(span.contribution))[:MAX_SPANS]
    shares = rescale_to(np.array([span.contribution for span in chosen]), contribution) if chosen else np.zeros(0)
    found: dict[int, list[NoteSpan]] = {}
    for span, share in zip(chosen, shares, strict=True):
        scopes = find_scopes(prepared.notes[span.note].text)
        negated = context_at(scopes, span.start, span.end) == NEGATED
        found.setdefault(span.note, []).append(NoteSpan(span.start, span.end, float(share), negated))
    return tuple(
        NoteExplanation(prepared.notes[note].id, tuple(sorted(spans, key=lambda span: span.start)))
        for note, spans in sorted(found.items())
    )


def _words(prepared: PreparedNotes, pieces: NDArray[np.float64]) -> list[_Candidate]:
    """Attributions summed by word; a word seen in two windows is counted in both."""
    windows = prepared.windows
    per_character = [np.zeros(len(note.text) + 1) for note in prepared.notes]
    for note, offsets, row in zip(windows.notes, windows.offsets, pieces, strict=True):
        for (start, end), value in zip(offsets, row, strict=False):
            per_character[note][start] += value if end > start else 0.0
    words = []
    for index, note in enumerate(prepared.notes):
        for match in _WORD.finditer(note.text):
            value = float(per_character[index][match.start() : match.end()].sum())
            words.append(_Candidate(index, match.start(), match.end(), value))
    return words


def _merge(prepared: PreparedNotes, words: list[_Candidate]) -> list[_Candidate]:
    """Neighbours of one sign in one clause become one span."""
    spans: list[_Candidate] = []
    for word in words:
        last = spans[-1] if spans else None
        if last and last.note == word.note and last.contribution * word.contribution > 0:
            between = prepared.notes[word.note].text[last.end : word.start]
            if _GAP.fullmatch(between):
                spans[-1] = _Candidate(word.note, last.start, word.end, last.contribution + word.contribution)
                continue
        spans.append(word)
    return spans
