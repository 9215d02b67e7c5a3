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
    "cases_of",
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
    metric: Callable[[Array, Labels], float],
    probabilities: Array,
    labels: Labels,
    *,
    seed: int,
    patients: NDArray[np.str_] | None = None,
) -> dict[str, float]:
    """The metric and its 95 % bootstrap interval over patients, over the draws in which it is defined.

    Args: patients: [n], whose cases are drawn together; default: every case is a patient of its own.
    """
    rng = np.random.default_rng(seed)
    cases = None if patients is None else cases_of(patients)
    count = len(labels) if cases is None else len(cases)
    resampled = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, count, count)
        rows = drawn if cases is None else np.concatenate([cases[k] for k in drawn])
        resampled.append(metric(probabilities[rows], labels[rows]))
    low, high = np.quantile([value for value in resampled if np.isfinite(value)], (0.025, 0.975))
    return {"value": metric(probabilities, labels), "low": float(low), "high": float(high)}


def cases_of(patients: NDArray[np.str_]) -> list[NDArray[np.int64]]:
    """The cases of every patient, in the order of their first."""
    _, first, own = np.unique(patients, return_index=True, return_inverse=True)
    return [np.flatnonzero(own == k) for k in np.argsort(first)]


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
