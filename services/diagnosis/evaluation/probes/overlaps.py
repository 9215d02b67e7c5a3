"""Explained spans against the spans of findings in a note, explained windows against those of events in the vitals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, Truth
from services.diagnosis.evaluation.probes.perturb import WORD
from services.diagnosis.evaluation.subject import Array
from services.diagnosis.inference.prediction import Explanation, NoteSpan, VitalsExplanation

DRAWS = 20
"""Random explanations per case for the level of chance."""
SLOT_H = 0.25
"""Windows are compared in slots of a quarter of an hour."""
SPAN_H = 96.0
Slots = NDArray[np.bool_]
"""[vital signs, slots]"""


def judge_notes(
    case: CaseInput, explanation: Explanation, truth: Truth, findings: frozenset[str] | None, rng: np.random.Generator
) -> dict[str, float]:
    """Character-level F1 of the k largest spans against the k true ones, over letters and digits.

    Args:
        findings: those that count, against spans of positive contribution; None: all, against spans of either sign.
    Returns: `f1`, `precision`, `recall` and `f1_chance`: of spans of as many words at random places. Empty where no
        such finding is written.
    """
    note = case.notes[0]
    true = [(start, end) for start, end, name, _ in truth.spans if findings is None or name in findings]
    if not true:
        return {}
    spans = [span for own in explanation.notes if own.note_id == note.id for span in own.spans]
    spans = [span for span in spans if findings is None or span.contribution > 0]
    chosen = sorted(spans, key=lambda span: -abs(span.contribution))[: len(true)]
    letters = np.array([character.isalnum() for character in note.text])
    target = _characters(true, letters)
    shown = _characters([(span.start, span.end) for span in chosen], letters)
    f1, precision, recall = _f1(shown, target)
    words = [match.span() for match in WORD.finditer(note.text)]
    chance = [_f1(_characters(_random_spans(chosen, words, rng), letters), target)[0] for _ in range(DRAWS)]
    return {"f1": f1, "precision": precision, "recall": recall, "f1_chance": float(np.mean(chance))}


def judge_negations(explanation: Explanation, note_id: str, truth: Truth) -> dict[str, float]:
    """Share of explanation spans on a true span whose negation flag is right, and of those that are not negated."""
    hits, plain = [], []
    for span in (span for own in explanation.notes if own.note_id == note_id for span in own.spans):
        overlaps = [(min(end, span.end) - max(start, span.start), negated) for start, end, _, negated in truth.spans]
        overlap, negated = max(overlaps, default=(0, False))
        if overlap > 0:
            hits.append(span.negated == negated)
            plain.append(not negated)
    return {"negation_accuracy": float(np.mean(hits)), "negation_always_plain": float(np.mean(plain))} if hits else {}


def judge_vitals(
    case: CaseInput, explanation: Explanation, truth: Truth, findings: frozenset[str] | None, rng: np.random.Generator
) -> dict[str, float]:
    """Overlap of the k largest windows with the k true ones, per vital sign and quarter of an hour.

    Returns: `iou` (intersection over union), `mass`: share of the contribution (positive, or absolute where `findings`
        is None) inside true windows, and both for windows of the same lengths at random signs and times.
    """
    true = [(code, start, end) for code, start, end, name in truth.windows if findings is None or name in findings]
    if not true or case.vitals is None:
        return {}
    codes = sorted(set(case.vitals.codes) | {window[0] for window in true})
    target = _slots(true, codes)
    windows = [item for item in explanation.vitals if findings is None or item.contribution > 0]
    windows.sort(key=lambda item: -abs(item.contribution))
    places = [_hours(item, case) for item in windows]
    weights = np.array([abs(item.contribution) for item in windows])
    oldest = float(case.vitals.times_h.min())
    chance = []
    for _ in range(DRAWS):
        drawn = [_random_window(place, codes, oldest, rng) for place in places]
        chance.append((_iou(_slots(drawn[: len(true)], codes), target), _mass(drawn, weights, codes, target)))
    iou_chance, mass_chance = np.mean(chance, axis=0)
    return {
        "iou": _iou(_slots(places[: len(true)], codes), target),
        "iou_chance": float(iou_chance),
        "mass": _mass(places, weights, codes, target),
        "mass_chance": float(mass_chance),
    }


def _characters(spans: Sequence[tuple[int, int]], letters: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inside = np.zeros(len(letters), np.bool_)
    for start, end in spans:
        inside[start:end] = True
    return inside & letters


def _f1(shown: NDArray[np.bool_], target: NDArray[np.bool_]) -> tuple[float, float, float]:
    both = float((shown & target).sum())
    precision = both / shown.sum() if shown.any() else 0.0
    recall = both / target.sum() if target.any() else 0.0
    f1 = 2 * precision * recall / (precision + recall) if both else 0.0
    return float(f1), float(precision), float(recall)


def _random_spans(
    spans: Sequence[NoteSpan], words: Sequence[tuple[int, int]], rng: np.random.Generator
) -> list[tuple[int, int]]:
    """For each span one of as many words in a row, anywhere."""
    drawn = []
    for span in spans:
        count = max(1, sum(start < span.end and span.start < end for start, end in words))
        first = int(rng.integers(max(1, len(words) - count + 1)))
        drawn.append((words[first][0], words[min(first + count, len(words)) - 1][1]))
    return drawn


_Window = tuple[str, float, float]
"""(LOINC code, from hour, to hour)."""


def _hours(item: VitalsExplanation, case: CaseInput) -> _Window:
    start, end = ((moment - case.as_of).total_seconds() / 3600 for moment in (item.from_, item.to))
    return item.code, start, end


def _slots(windows: Sequence[_Window], codes: Sequence[str]) -> Slots:
    count = round(SPAN_H / SLOT_H)
    slots = np.zeros((len(codes), count), np.bool_)
    for code, start, end in windows:
        first = int(np.clip(np.floor((start + SPAN_H) / SLOT_H), 0, count - 1))
        last = int(np.clip(np.ceil((end + SPAN_H) / SLOT_H), first + 1, count))
        slots[codes.index(code), first:last] = True
    return slots


def _iou(shown: Slots, target: Slots) -> float:
    union = int((shown | target).sum())
    return float((shown & target).sum() / union) if union else 0.0


def _mass(windows: Sequence[_Window], weights: Array, codes: Sequence[str], target: Slots) -> float:
    """Each window's weight is spread evenly over its slots."""
    if not len(weights) or weights.sum() == 0:
        return 0.0
    own = [_slots([window], codes) for window in windows]
    inside = np.array([(slots & target).sum() / slots.sum() for slots in own])
    return float(inside @ weights / weights.sum())


def _random_window(window: _Window, codes: Sequence[str], oldest_h: float, rng: np.random.Generator) -> _Window:
    length = window[2] - window[1]
    start = rng.uniform(oldest_h, max(oldest_h, -length))
    return str(rng.choice(codes)), float(start), float(start + length)
