"""Do probabilities mean what they say: Brier score, log loss, calibration error over bins of equal mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import Array, Labels, once
from services.diagnosis.evaluation.metrics.discrimination import weighted_mean

BINS = 15


def brier_scores(probabilities: Array, labels: Labels) -> Array:
    """Squared distance of each case to its one-hot truth, [n] in [0, 2] (Brier 1950; the multi-class form)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return np.asarray(((probabilities - truth) ** 2).sum(1))


def log_losses(probabilities: Array, labels: Labels) -> Array:
    """-log p(true class) of each case in nats, [n]; p is kept above 2.2e-16 as in scikit-learn's `log_loss`."""
    own = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.maximum(own, np.finfo(np.float64).eps)))


@dataclass(frozen=True)
class Bins:
    """Cases in bins of equal mass along the predicted probability, per resample: each array is [resamples, bins]."""

    mass: Array
    """Cases drawn into the bin; 0 only where a resample has fewer cases than bins."""
    predicted: Array
    """Mean prediction, 0 where empty."""
    observed: Array
    """Share of cases in which it came true, 0 where empty."""

    @property
    def shares(self) -> Array:
        return np.asarray(self.mass / self.mass.sum(1, keepdims=True))

    @property
    def noise(self) -> Array:
        """Unbiased estimate of the sampling variance of `observed`: o (1 - o) / (n - 1)."""
        return np.asarray(self.observed * (1 - self.observed) / np.maximum(self.mass - 1, 1))


def bin_equally(predictions: Array, came_true: Array, weights: Array, bins: int = BINS) -> Bins:
    """Sort by prediction and cut into parts whose sizes differ by at most one, as `numpy.array_split` would.

    A case that was drawn several times may lie in two bins, exactly as its copies would in the resample written out:
    sums are cumulated in order, and read at the edges. Ties keep their order.

    Args:
        predictions: [n] in [0, 1]; came_true: [n] in {0, 1}; weights: [resamples, n], whole numbers.
    """
    order = np.argsort(predictions, kind="stable")
    drawn = weights[:, order]
    drawn_so_far = np.cumsum(drawn, axis=1)
    total = drawn_so_far[:, -1:].astype(np.int64)
    places = np.arange(bins + 1)
    edges = places * (total // bins) + np.minimum(places, total % bins)  # [resamples, bins + 1]
    at = np.stack([np.searchsorted(row, edge) for row, edge in zip(drawn_so_far, edges, strict=True)])
    beyond = np.take_along_axis(drawn_so_far, at, axis=1) - edges
    mass = np.diff(edges, axis=1).astype(np.float64)
    means = []
    for values in (predictions[order], came_true[order]):
        sums = np.take_along_axis(np.cumsum(drawn * values, axis=1), at, axis=1) - beyond * values[at]
        means.append(np.diff(sums, axis=1) / np.maximum(mass, 1))
    return Bins(mass, means[0], np.clip(means[1], 0, 1))


def squared_calibration_error(bins: Bins) -> tuple[Array, Array]:
    """Mean over cases of (mean prediction - share observed)^2 of their bin: debiased, and plug-in, [resamples] each.

    Debiased (Kumar, Liang & Ma 2019, arXiv 1909.10155, section 4; before them Bröcker 2012, Ferro & Fricker 2012):
    the plug-in value counts the sampling noise of the shares as error, so an estimate of that noise is subtracted. It
    is unbiased for the squared error over these bins, hence negative as often as not for a calibrated model.
    """
    plug_in = (bins.shares * (bins.predicted - bins.observed) ** 2).sum(1)
    return np.asarray(plug_in - (bins.shares * bins.noise).sum(1)), np.asarray(plug_in)


def root(squared: Array) -> Array:
    """From squared error to error in probability: sqrt, and 0 for what debiasing took below 0."""
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def top_label_bins(probabilities: Array, labels: Labels, weights: Array, bins: int = BINS) -> Bins:
    """The largest probability of each case against whether its class was the true one."""
    hit = (probabilities.argmax(1) == labels).astype(np.float64)
    return bin_equally(probabilities.max(1), hit, weights, bins)


def class_bins(probabilities: Array, labels: Labels, k: int, weights: Array, bins: int = BINS) -> Bins:
    """The probability of class k against whether it was the true one."""
    return bin_equally(probabilities[:, k], (labels == k).astype(np.float64), weights, bins)


def absolute_calibration_error(bins: Bins) -> Array:
    """Mean over cases of |mean prediction - share observed| of their bin, [resamples]: the usual ECE.

    Biased upwards by sampling noise (Roelofs et al. 2022, arXiv 2012.08668); for comparison with published figures.
    """
    return np.asarray((bins.shares * np.abs(bins.predicted - bins.observed)).sum(1))


def expected_calibration_error(probabilities: Array, labels: Labels, *, bins: int = BINS) -> float:
    """The usual top-label ECE of a sample, not debiased."""
    return float(absolute_calibration_error(top_label_bins(probabilities, labels, once(len(labels)), bins))[0])


def debiased_calibration_error(probabilities: Array, labels: Labels, *, bins: int = BINS) -> float:
    """The debiased top-label calibration error of a sample: the `ece` of metrics.json."""
    squared, _ = squared_calibration_error(top_label_bins(probabilities, labels, once(len(labels)), bins))
    return float(root(squared)[0])


def brier_score(probabilities: Array, labels: Labels, weights: Array) -> Array:
    """Mean Brier score, [resamples] in [0, 2]."""
    return weighted_mean(brier_scores(probabilities, labels), weights)
