"""Means of per-case figures with bootstrap intervals over patients, in the shape that metrics.json wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.bootstrap import RESAMPLES, Resamples
from services.diagnosis.evaluation.subject import Array

Patients = NDArray[np.str_]


def summarise(
    columns: Mapping[str, Array], patients: Patients, *, seed: int, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Mean of each column over the cases where it is known, with 95 % intervals; patients are resampled whole.

    Args:
        columns: name -> [n]; NaN where a case has no such figure.
        patients: [n].
    Returns: name -> mean (None where no case has it), and `intervals`: name -> {low, high}.
    """
    weights = patient_weights(patients, seed=seed, resamples=resamples)
    means: dict[str, Any] = {name: _mean(values) for name, values in columns.items()}
    intervals = {name: _interval(values, weights) for name, values in columns.items()}
    return {**means, "intervals": intervals}


def ratio_with_interval(
    above: Array, below: Array, patients: Patients, *, seed: int, resamples: int = RESAMPLES
) -> tuple[float | None, dict[str, float | None]]:
    """Ratio of two means over the same cases, and its interval; None where the lower mean is zero."""
    known = np.isfinite(above) & np.isfinite(below)
    above, below = above[known], below[known]
    if not len(above) or below.sum() == 0:
        return None, {"low": None, "high": None}
    weights = patient_weights(patients[known], seed=seed, resamples=resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (weights @ above) / (weights @ below)
    return float(above.sum() / below.sum()), _quantiles(ratios)


def patient_weights(patients: Patients, *, seed: int, resamples: int = RESAMPLES) -> Array:
    """[resamples, n]: how often each case is drawn when patients are drawn with replacement, as everywhere else."""
    if not len(patients):
        return np.zeros((resamples, 0))
    drawn = Resamples.draw(patients, seed=seed, resamples=resamples)
    return drawn.counts[:, drawn.patient].astype(np.float64)


def _mean(values: Array) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _interval(values: Array, weights: Array) -> dict[str, float | None]:
    known = np.isfinite(values)
    if not known.any():
        return {"low": None, "high": None}
    own = weights[:, known]
    with np.errstate(divide="ignore", invalid="ignore"):
        means = own @ values[known] / own.sum(1)
    return _quantiles(means)


def _quantiles(values: Array) -> dict[str, float | None]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return {"low": None, "high": None}
    low, high = np.quantile(finite, (0.025, 0.975))
    return {"low": float(low), "high": float(high)}
