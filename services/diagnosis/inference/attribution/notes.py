"""Which phrases of the notes: word pieces to phrases, and whether a phrase is denied in the text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.inference.attribution.gradients import rescale_to
from services.diagnosis.inference.attribution.phrases import Phrase, find_phrases
from services.diagnosis.inference.inputs import PreparedNotes
from services.diagnosis.inference.prediction import NoteExplanation, NoteSpan
from services.diagnosis.model.preprocessing.contexts import NEGATED, context_at, find_scopes

MAX_SPANS = 16
SMALLEST = 0.03
"""Phrases below this share of the strongest are not shown; what they weigh goes into the residual."""


def explain_notes(
    prepared: PreparedNotes, pieces: NDArray[np.float64], contribution: float
) -> tuple[tuple[NoteExplanation, ...], float]:
    """Spans of each note from attributions [windows, pieces]; over all notes they sum to `contribution`.

    Returns: the explanations, and the residual: what was spread over the spans to make them add up.
    """
    phrases = _weigh(prepared, pieces)
    strongest = max((abs(value) for _, _, value in phrases), default=0.0)
    large = [phrase for phrase in phrases if abs(phrase[2]) >= SMALLEST * strongest > 0]
    chosen = sorted(large, key=lambda phrase: -abs(phrase[2]))[:MAX_SPANS]
    own = np.array([value for _, _, value in chosen])
    shares = rescale_to(own, contribution) if chosen else own
    found: dict[int, list[NoteSpan]] = {}
    for (note, phrase, _), share in zip(chosen, shares, strict=True):
        scopes = find_scopes(prepared.notes[note].text)
        negated = context_at(scopes, phrase.first, phrase.last) == NEGATED
        found.setdefault(note, []).append(NoteSpan(phrase.first, phrase.last, float(share), negated))
    explained = tuple(
        NoteExplanation(prepared.notes[note].id, tuple(sorted(spans, key=lambda span: span.start)))
        for note, spans in sorted(found.items())
    )
    return explained, contribution - float(own.sum())


def _weigh(prepared: PreparedNotes, pieces: NDArray[np.float64]) -> list[tuple[int, Phrase, float]]:
    """(note, phrase, attribution); a word seen in two windows is counted in both."""
    windows = prepared.windows
    per_character = [np.zeros(len(note.text) + 1) for note in prepared.notes]
    for note, offsets, row in zip(windows.notes, windows.offsets, pieces, strict=True):
        for (start, end), value in zip(offsets, row, strict=False):
            per_character[note][start] += value if end > start else 0.0
    return [
        (index, phrase, float(per_character[index][phrase.start : phrase.end].sum()))
        for index, note in enumerate(prepared.notes)
        for phrase in find_phrases(note.text)
    ]
