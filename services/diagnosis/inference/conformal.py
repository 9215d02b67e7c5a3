"""Conformal prediction sets per availability pattern, class-conditional where the cells are large enough.

Nonconformity is 1 - p_k. A label enters the set when its nonconformity does not exceed the threshold of its cell; the
ladder pattern x class -> pattern -> marginal is climbed until a cell holds enough cases, and the result names the rung.
Split conformal, class-conditional (Mondrian) form: Vovk, arXiv 1209.2673; threshold rank ceil((n + 1)(1 - alpha)).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.modalities import PATTERNS

RUNGS = ("pattern x class", "pattern", "marginal", "none: too few calibration cases")
MIN_CASES_PER_CLASS = 10
"""A class has its own threshold from 10 / alpha cases on; below, the threshold would hang on a case or two."""


@dataclass(frozen=True)
class ConformalTable:
    """Thresholds [patterns, classes] on the probability: a label enters where p >= threshold."""

    coverage: float
    thresholds: NDArray[np.float64]
    rungs: NDArray[np.int64]
    """[patterns, classes]: index into RUNGS."""
    counts: NDArray[np.int64]
    """[patterns, classes]: calibration cases of the cell."""

    def predict(self, probabilities: NDArray[np.float64], pattern: str) -> tuple[list[int], str]:
        """Labels of the set, most probable first, and the guarantee: the weakest rung that any label stands on.

        The most probable label is always in: that can only raise the coverage, and an empty set advises nothing.
        """
        row = PATTERNS.index(pattern)
        order = np.argsort(-probabilities, kind="stable")
        chosen = [int(k) for place, k in enumerate(order) if place == 0 or probabilities[k] >= self.thresholds[row, k]]
        return chosen, RUNGS[int(self.rungs[row].max())]

    def to_json(self) -> dict[str, Any]:
        return {
            "coverage": self.coverage,
            "thresholds": self.thresholds.tolist(),
            "rungs": self.rungs.tolist(),
            "counts": self.counts.tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ConformalTable:
        return cls(
            float(value["coverage"]),
            np.array(value["thresholds"], np.float64),
            np.array(value["rungs"], np.int64),
            np.array(value["counts"], np.int64),
        )


def fit_conformal(
    probabilities: Mapping[str, NDArray[np.float64]], labels: NDArray[np.int64], *, coverage: float
) -> ConformalTable:
    """Thresholds from a calibration split whose probabilities [n, classes] are given under every pattern."""
    classes = next(iter(probabilities.values())).shape[1]
    own = {pattern: probabilities[pattern][np.arange(len(labels)), labels] for pattern in PATTERNS}
    everything = np.concatenate(list(own.values()))
    thresholds = np.zeros((len(PATTERNS), classes))
    rungs = np.zeros((len(PATTERNS), classes), np.int64)
    counts = np.zeros((len(PATTERNS), classes), np.int64)
    enough = MIN_CASES_PER_CLASS / (1 - coverage)
    for row, pattern in enumerate(PATTERNS):
        for k in range(classes):
            cell = own[pattern][labels == k]
            counts[row, k] = len(cell)
            ladder = [cell if len(cell) >= enough else cell[:0], own[pattern], everything]
            thresholds[row, k], rungs[row, k] = _first_sufficient(ladder, coverage)
    return ConformalTable(coverage, thresholds, rungs, counts)


def _first_sufficient(ladder: list[NDArray[np.float64]], coverage: float) -> tuple[float, int]:
    for rung, true_probabilities in enumerate(ladder):
        n = len(true_probabilities)
        rank = math.ceil((n + 1) * coverage)
        if n and rank <= n:
            return float(np.sort(true_probabilities)[n - rank]), rung
    return 0.0, len(RUNGS) - 1
