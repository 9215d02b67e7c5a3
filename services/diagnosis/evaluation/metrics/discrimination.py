"""How well probabilities tell classes apart: AUROC, average precision, accuracy."""

from __future__ import annotations

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import Array, Labels, Mask


def auroc_and_precision(scores: Array, positive: Mask, weights: Array) -> tuple[Array, Array]:
    """AUROC and average precision of one score against a yes-or-no truth.

    AUROC = P(score of a positive > score of a negative) + P(equal) / 2 (Mann & Whitney 1947; Hanley & McNeil 1982).
    Average precision = sum over thresholds of (R_i - R_i-1) P_i, without interpolation, tied scores together, as
    scikit-learn has it (Su, Yuan & Zhu 2015).

    Args:
        scores, positive: [n]; weights: [resamples, n], >= 0.
    Returns: twice [resamples]; NaN where a resample holds no positive or no negative.
    """
    ups, downs = np.flatnonzero(positive), np.flatnonzero(~positive)
    ups, downs = ups[np.argsort(scores[ups], kind="stable")], downs[np.argsort(scores[downs], kind="stable")]
    own, all_below = weights[:, ups], _cumulated(weights[:, downs])
    lower = np.searchsorted(scores[downs], scores[ups], side="left")
    upper = np.searchsorted(scores[downs], scores[ups], side="right")
    strictly_below = all_below[:, lower]
    positives, negatives = own.sum(1), all_below[:, -1]
    beaten = (own * (strictly_below + all_below[:, upper])).sum(1) / 2

    hits = positives[:, None] - _cumulated(own)[:, np.searchsorted(scores[ups], scores[ups], side="left")]
    flagged = hits + negatives[:, None] - strictly_below
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    defined = (positives > 0) & (negatives > 0)
    return _ratio(beaten, positives * negatives, defined), _ratio((own * precision).sum(1), positives, defined)


def per_class(probabilities: Array, labels: Labels, weights: Array) -> tuple[Array, Array]:
    """One-against-rest AUROC and average precision, [resamples, classes] each."""
    pairs = [auroc_and_precision(probabilities[:, k], labels == k, weights) for k in range(probabilities.shape[1])]
    return np.stack([pair[0] for pair in pairs], axis=1), np.stack([pair[1] for pair in pairs], axis=1)


def macro(each: Array) -> Array:
    """The unweighted mean over the classes that occur (are not NaN): [..., classes] -> [...]."""
    known = ~np.isnan(each)
    return _ratio(np.where(known, each, 0.0).sum(-1), known.sum(-1).astype(np.float64), np.asarray(known.any(-1)))


def macro_auroc(probabilities: Array, labels: Labels, weights: Array) -> Array:
    """Mean one-against-rest AUROC over the classes that occur, [resamples]."""
    return macro(per_class(probabilities, labels, weights)[0])


def accuracy(probabilities: Array, labels: Labels, weights: Array) -> Array:
    """Share of cases whose most probable class is the true one (the first of equals), [resamples]."""
    return weighted_mean((probabilities.argmax(1) == labels).astype(np.float64), weights)


def weighted_mean(values: Array, weights: Array) -> Array:
    """Mean of [n] under each row of weights, [resamples]; NaN where no weight is left."""
    total = weights.sum(1)
    return _ratio(weights @ values, total, total > 0)


def _cumulated(weights: Array) -> Array:
    """[resamples, n] -> [resamples, n + 1]: the weight before each place, and of all at the end."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1))
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def _ratio(numerator: Array, denominator: Array, defined: Mask) -> Array:
    return np.asarray(np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=defined))
