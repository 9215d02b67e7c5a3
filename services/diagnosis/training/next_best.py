"""Fit of what an absent modality is expected to add, on cases that are known under every pattern."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.inference.next_best import (
    WITHIN,
    EntropyDrops,
    Regression,
    absent_from,
    entropies,
    features_of,
)
from services.diagnosis.model.modalities import PATTERNS, pattern_name

Array = NDArray[np.float64]
FEWEST = 30
"""Cases known both with and without a modality; of fewer, nothing is told of what it would add."""
RIDGE = 1.0
"""L2 penalty of the weights, in cases; the intercept is free."""


def fit_entropy_drops(
    probabilities: Mapping[str, Array], rows: Mapping[str, NDArray[np.int64]] | None = None
) -> EntropyDrops:
    """One regression for each pattern and modality outside it, where `FEWEST` cases hold both.

    Args:
        probabilities: pattern -> calibrated [n, classes] of the same cases, under every pattern.
        rows: pattern -> the cases that hold all of it; default: all.
    """
    fitted: dict[str, dict[str, Regression]] = {}
    for pattern in PATTERNS:
        fitted[pattern] = {}
        for modality in absent_from(pattern):
            wider = pattern_name([*pattern.split("+"), modality])
            own = slice(None) if rows is None else rows[wider]
            before, after = probabilities[pattern][own], probabilities[wider][own]
            if len(before) >= FEWEST:
                fitted[pattern][modality] = _fit(before, after)
    return EntropyDrops(fitted)


def _fit(before: Array, after: Array) -> Regression:
    features, drops = features_of(before), entropies(before) - entropies(after)
    centre, level = features.mean(0), float(drops.mean())
    spread = features - centre
    weights = np.linalg.solve(spread.T @ spread + RIDGE * np.eye(spread.shape[1]), spread.T @ (drops - level))
    intercept = level - float(centre @ weights)
    low, high = np.quantile(drops - intercept - features @ weights, WITHIN)
    return Regression(weights, intercept, (float(low), float(high)), len(drops))
