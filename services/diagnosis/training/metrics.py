"""What a bundle is worth on cases it has never seen, with intervals; the full harness is `consilium evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
RESAMPLES = 200


def macro_auroc(probabilities: Array, labels: Labels) -> float:
    """Mean one-against-rest AUROC over the classes that occur, from ranks (Mann & Whitney 1947); ties count half."""
    from scipy.stats import rankdata

    ranks = rankdata(probabilities, axis=0)
    each = []
    for k in range(probabilities.shape[1]):
        own = labels == k
        positives, negatives = int(own.sum()), int((~own).sum())
        if positives and negatives:
            above = ranks[own, k].sum() - positives * (positives + 1) / 2
            each.append(above / (positives * negatives))
    return float(np.mean(each))


def accuracy(probabilities: Array, labels: Labels) -> float:
    return float((probabilities.argmax(1) == labels).mean())


def expected_calibration_error(probabilities: Array, labels: Labels, *, bins: int = 15) -> float:
    """Top-label calibration error over bins of equal mass (arXiv 2012.08668 on why not equal width)."""
    top, hit = probabilities.max(1), probabilities.argmax(1) == labels
    order = np.argsort(top, kind="stable")
    gaps = [abs(top[part].mean() - hit[part].mean()) * len(part) for part in np.array_split(order, bins) if len(part)]
    return float(sum(gaps) / len(labels))


def brier_score(probabilities: Array, labels: Labels) -> float:
    """Mean squared distance to the one-hot truth, in [0, 2]."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(1).mean())


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
    from scipy.stats import beta

    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
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
