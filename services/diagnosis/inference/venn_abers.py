"""Venn-Abers intervals: a probability twice, as if this case had the diagnosis and as if it had not.

Inductive Venn-Abers predictor (Vovk & Petej 2014, arXiv 1211.0025) per availability pattern and class, on the class's
probability rounded to a fixed grid of log-odds. Whatever the model's error, one of the two ends is calibrated; few
calibration cases make the two stand far apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.inference.prediction import Interval
from services.diagnosis.inference.uncertainty import logit
from services.diagnosis.model.modalities import PATTERNS

Array = NDArray[np.float64]
STEP, LIMIT = 0.1, 7.0
"""Of the grid, in log-odds. It is set beforehand: levels chosen on the calibration cases would void the guarantee."""
LEVELS = 2 * round(LIMIT / STEP) + 1


@dataclass(frozen=True)
class VennAbers:
    """`ends` [2, patterns, classes, levels]: as if the case lacked, and as if it had, the class; NaN: no case known."""

    ends: Array

    def interval(self, probability: float, pattern: str, k: int) -> Interval | None:
        """(p0, p1) of class k; None where no calibration case shows the pattern."""
        low, high = self.intervals(np.array([probability]), pattern, k)[:, 0].tolist()
        return None if np.isnan(low) else (low, high)

    def intervals(self, probabilities: Array, pattern: str, k: int) -> Array:
        """[2, n] of probabilities [n]; NaN where no calibration case shows the pattern."""
        return self.ends[:, PATTERNS.index(pattern), k, levels_of(probabilities)]

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        return {"ends": self.ends.astype(np.float32)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]]) -> VennAbers:
        return cls(arrays["ends"].astype(np.float64))


def levels_of(probabilities: Array) -> NDArray[np.int64]:
    """The place of each probability on the grid."""
    return np.rint((np.clip(logit(probabilities), -LIMIT, LIMIT) + LIMIT) / STEP).astype(np.int64)


def fit_venn_abers(
    probabilities: Mapping[str, Array],
    labels: NDArray[np.int64],
    *,
    rows: Mapping[str, NDArray[np.int64]] | None = None,
) -> VennAbers:
    """Fit per pattern and class.

    Args:
        probabilities: pattern -> [n, classes]; labels: [n].
        rows: pattern -> the cases that count for it; default: all.
    """
    classes = next(iter(probabilities.values())).shape[1]
    ends = np.full((2, len(PATTERNS), classes, LEVELS), np.nan)
    for row, pattern in enumerate(PATTERNS):
        own = slice(None) if rows is None else rows[pattern]
        truth, told = labels[own], probabilities[pattern][own]
        for k in range(classes if len(truth) else 0):
            ends[:, row, k] = two_ends(levels_of(told[:, k]), truth == k)
    return VennAbers(ends)


def two_ends(levels: NDArray[np.int64], came: NDArray[np.bool_]) -> Array:
    """[2, LEVELS]: isotonic regression with one more case at each level that lacks, or that has, the class.

    The regression at a level is the largest, over where a stretch may begin, of the least mean over where it may end
    (Robertson, Wright & Dykstra 1988, theorem 1.4.4): all levels at once, without a fit for each.

    Args: levels: [n] places on the grid; came: [n], whether the case has the class.
    """
    cases = np.concatenate([[0.0], np.bincount(levels, minlength=LEVELS).cumsum()])
    positive = np.concatenate([[0.0], np.bincount(levels, weights=came, minlength=LEVELS).cumsum()])
    beginnings, ends = np.arange(LEVELS)[:, None], np.arange(1, LEVELS + 1)[None]
    n, with_it = cases[ends] - cases[beginnings], positive[ends] - positive[beginnings]
    found = np.empty((2, LEVELS))
    for label in (0, 1):
        means = (with_it + label) / np.maximum(n + 1, 1)  # [beginning, end]
        least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]  # over all ends from a level on
        found[label] = np.where(np.tri(LEVELS, dtype=np.bool_).T, least, -np.inf).max(0)
    return found
