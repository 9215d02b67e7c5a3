"""Figures of a trained bundle for its card, each one number of a sample; their definitions are `evaluation.metrics`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics import calibration, discrimination
from services.diagnosis.evaluation.metrics.bootstrap import once
from services.diagnosis.evaluation.metrics.calibration import expected_calibration_error
from services.diagnosis.evaluation.metrics.coverage import exact_interval

__all__ = [
    "accuracy",
    "binomial_interval",
    "brier_score",
    "expected_calibration_error",
    "macro_auroc",
    "round_floats",
    "with_interval",
]

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
RESAMPLES = 200


def macro_auroc(probabilities: Array, labels: Labels) -> float:
    """Mean one-against-rest AUROC over the classes that occur; ties count half."""
    return float(discrimination.macro_auroc(probabilities, labels, once(len(labels)))[0])


def accuracy(probabilities: Array, labels: Labels) -> float:
    """Share of cases whose most probable class is the true one."""
    return float(discrimination.accuracy(probabilities, labels, once(len(labels)))[0])


def brier_score(probabilities: Array, labels: Labels) -> float:
    """Mean squared distance to the one-hot truth, in [0, 2]."""
    return float(calibration.brier_score(probabilities, labels, once(len(labels)))[0])


def with_interval(
    metric: Callable[[Array, Labels], float], probabilities: Array, labels: Labels, *, seed: int
) -> dict[str, float]:
    """The metric and its 95 % bootstrap interval over patients."""
    rng = np.random.default_rng(seed)
    resampled = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(labels), len(labels))
        resampled.append(metric(probabilities[rows], labels[rows]))
    low, high = np.quantile(resampled, (0.025, 0.975))
    return {"value": metric(probabilities, labels), "low": float(low), "high": float(high)}


def binomial_interval(hits: int, n: int) -> dict[str, float]:
    """A proportion with its exact 95 % interval (Clopper & Pearson 1934)."""
    low, high = exact_interval(hits, n)
    return {"value": hits / n, "low": low, "high": high}


def round_floats(value: Any, digits: int = 4) -> Any:
    """JSON values with floats rounded for reading."""
    if isinstance(value, float):
        return round(value, digits)
    if isinstance(value, dict):
        return {key: round_floats(item, digits) for key, item in value.items()}
    if isinstance(value, list):
        return [round_floats(item, digits) for item in value]
    return value
