"""Perturbed cases: each modality cut into units that can be taken away, and how much an explanation gives to each.

A unit is a patch of a radiograph, a word of a note, or what one vital sign shows in six hours: single readings are so
redundant that any order of them would look unfaithful.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, ImageInput, NoteInput, VitalsInput
from services.diagnosis.evaluation.probes.fills import FILLS, cells_of
from services.diagnosis.evaluation.probes.heat import heat_of
from services.diagnosis.evaluation.subject import Array
from services.diagnosis.inference.prediction import Explanation

GRID = 16
"""Patches of an image along each side."""
WINDOW_H = 6.0
MASK = "[MASK]"
WORD = re.compile(r"\w+(?:[-'/]\w+)*")
Removed = NDArray[np.bool_]


class Units(Protocol):
    """One modality of one case, as units that can be taken away."""

    @property
    def count(self) -> int: ...

    def importance(self, explanation: Explanation) -> Array:
        """[count]: the contribution that the explanation gives to each unit."""

    def without(self, case: CaseInput, removed: Removed) -> CaseInput:
        """The case with those units [count] taken away."""


@dataclass(frozen=True)
class Patches:
    """A grid of patches over each image. `fills`: per image, pixels and removed patches -> pixels."""

    images: tuple[ImageInput, ...]
    fills: tuple[Callable[[NDArray[np.bool_]], NDArray[np.float32]], ...]

    @property
    def count(self) -> int:
        return len(self.images) * GRID**2

    def importance(self, explanation: Explanation) -> Array:
        heats = {image.image_id: heat_of(image) for image in explanation.images}
        parts = [_sum_by_patch(heats[image.id]) if image.id in heats else np.zeros(GRID**2) for image in self.images]
        return np.concatenate(parts)

    def without(self, case: CaseInput, removed: Removed) -> CaseInput:
        own = removed.reshape(len(self.images), GRID, GRID)
        filled = zip(self.images, self.fills, own, strict=True)
        return replace(case, images=tuple(replace(image, pixels=fill(part)) for image, fill, part in filled))


@dataclass(frozen=True)
class Words:
    """The words of all notes, taken out or replaced."""

    notes: tuple[NoteInput, ...]
    words: tuple[tuple[int, int, int], ...]
    """(index of the note, start, end)."""
    instead: str

    @property
    def count(self) -> int:
        return len(self.words)

    def importance(self, explanation: Explanation) -> Array:
        spans = {note.note_id: note.spans for note in explanation.notes}
        per_character = []
        for note in self.notes:
            values, letters = np.zeros(len(note.text)), np.zeros(len(note.text))
            for match in WORD.finditer(note.text):
                letters[match.start() : match.end()] = 1
            for span in spans.get(note.id, ()):
                own = letters[span.start : span.end]
                values[span.start : span.end] += own * span.contribution / max(1.0, own.sum())
            per_character.append(values)
        return np.array([per_character[note][start:end].sum() for note, start, end in self.words])

    def without(self, case: CaseInput, removed: Removed) -> CaseInput:
        gone = [word for word, out in zip(self.words, removed, strict=True) if out]
        texts = [_cut(note.text, [w[1:] for w in gone if w[0] == i], self.instead) for i, note in enumerate(self.notes)]
        pairs = zip(self.notes, texts, strict=True)
        return replace(case, notes=tuple(replace(note, text=text) for note, text in pairs))


@dataclass(frozen=True)
class Blocks:
    """The readings of one vital sign within one window of six hours are one unit; taken away, they are not there."""

    vitals: VitalsInput
    as_of: datetime
    block: NDArray[np.int64]
    """[readings]: the unit each reading belongs to."""

    @property
    def count(self) -> int:
        return int(self.block.max()) + 1

    def importance(self, explanation: Explanation) -> Array:
        if explanation.profiles:
            return self._of_profiles(explanation)
        names, parts = np.array(self.vitals.codes), np.zeros(len(self.block))
        for window in explanation.vitals:
            start, end = ((moment - self.as_of).total_seconds() / 3600 for moment in (window.from_, window.to))
            # Windows end on their last reading; their moments are rounded to 1e-4 h.
            times_h = self.vitals.times_h
            inside = (names == window.code) & (times_h >= start - 1e-3) & (times_h <= end + 1e-3)
            parts[inside] += window.contribution / max(1, int(inside.sum()))
        return _sum_by(self.block, parts, self.count)

    def _of_profiles(self, explanation: Explanation) -> Array:
        """Each reading's share of its variable's slot, summed by unit."""
        names, parts = np.array(self.vitals.codes), np.zeros(len(self.block))
        for profile in explanation.profiles:
            count = len(profile.contributions)
            slots = np.floor(self.vitals.times_h / profile.slot_hours).astype(np.int64) + count
            own = (names == profile.code) & (slots >= 0)
            slots = np.clip(slots, 0, count - 1)  # a reading at the case time itself belongs to the last slot
            shares = np.bincount(slots[own], minlength=count)
            parts[own] = np.array(profile.contributions)[slots[own]] / shares[slots[own]]
        return _sum_by(self.block, parts, self.count)

    def without(self, case: CaseInput, removed: Removed) -> CaseInput:
        kept = ~removed[self.block]
        return replace(case, vitals=keep_readings(self.vitals, kept))


def keep_readings(vitals: VitalsInput, kept: NDArray[np.bool_]) -> VitalsInput | None:
    """Those readings alone; None where none is left."""
    if not kept.any():
        return None
    codes = tuple(code for code, keep in zip(vitals.codes, kept, strict=True) if keep)
    return replace(vitals, times_h=vitals.times_h[kept], codes=codes, values=vitals.values[kept])


def units_of(case: CaseInput, name: str, fill: str, *, seed: int) -> Units:
    """The units of one modality that the case holds.

    Args:
        fill: `blur`, `mean` or `road` for images, `remove` or `mask` for notes, `drop` for vitals.
        seed: of the noise in `road`.
    Raises: ValueError: a modality that the case lacks.
    """
    if name == "image" and case.images:
        fills = [FILLS[fill](image.pixels, GRID, seed + i) for i, image in enumerate(case.images)]
        return Patches(case.images, tuple(fills))
    if name == "note" and case.notes:
        words = [(i, *match.span()) for i, note in enumerate(case.notes) for match in WORD.finditer(note.text)]
        return Words(case.notes, tuple(words), MASK if fill == "mask" else "")
    if name == "vitals" and case.vitals is not None:
        windows = np.floor(case.vitals.times_h / WINDOW_H).astype(np.int64)
        pairs = np.array([f"{code} {window}" for code, window in zip(case.vitals.codes, windows, strict=True)])
        _, block = np.unique(pairs, return_inverse=True)
        return Blocks(case.vitals, case.as_of, block.astype(np.int64))
    raise ValueError(f"the case holds no {name}")


def _sum_by_patch(heat: Array) -> Array:
    rows, columns = cells_of(heat.shape, GRID)
    return _sum_by((rows[:, None] * GRID + columns[None]).ravel(), heat.ravel(), GRID**2)


def _sum_by(group: NDArray[np.int64], values: Array, count: int) -> Array:
    return np.asarray(np.bincount(group, values, minlength=count), np.float64)


def _cut(text: str, gone: Sequence[tuple[int, ...]], instead: str) -> str:
    for start, end in reversed(gone):
        text = text[:start] + instead + text[end:]
    return text
