"""Calibration as a regression: slope and intercept (Cox 1958), with their bootstrap in one Newton step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import Array, Labels, Mask

_TINY = 1e-12
_STEPS = 50
_BOUND = 1e3
"""A coefficient beyond it has no finite optimum: the classes are separated."""


@dataclass(frozen=True)
class Fit:
    """Maximum-likelihood coefficients with every case's part in the score and the information at that point."""

    coefficients: Array
    """[parameters]; NaN where there is no finite optimum."""
    scores: Array
    """[n, parameters]."""
    information: Array
    """[n, parameters, parameters]."""

    def resampled(self, weights: Array) -> Array:
        """Coefficients under each row of weights, [resamples, parameters].

        One Newton step from the coefficients of the sample, which differs from the refitted ones by a term of the
        order 1/n (Davidson & MacKinnon 1999, Int. Econ. Rev. 40): a refit per resample would cost hundreds of times
        more.
        """
        size = len(self.coefficients)
        information = (weights @ self.information.reshape(len(self.scores), -1)).reshape(-1, size, size)
        information += 1e-9 * np.eye(size)
        steps = np.linalg.solve(information, (weights @ self.scores)[..., None])[..., 0]
        return np.asarray(self.coefficients + steps)


def fit_slope(probabilities: Array, labels: Labels) -> Fit:
    """Slope b (first) and intercepts a_k of p(k) ~ exp(b log p_k + a_k) over the classes that occur; the last a is 0.

    With two classes it is Cox's regression of the outcome on logit p; for more, the same with one slope (van Hoorde
    et al. 2014). b < 1: the probabilities are too extreme; logits doubled halve it exactly.

    Args:
        probabilities: [n, classes]; labels: [n].
    """
    occurring = np.unique(labels)
    logs = np.log(np.maximum(probabilities[:, occurring], _TINY))
    truth = (labels[:, None] == occurring).astype(np.float64)
    n, classes = logs.shape
    design = np.zeros((n, classes, classes))  # [n, class, parameter]
    design[:, :, 0] = logs
    design[:, range(classes - 1), range(1, classes)] = 1.0
    start = np.zeros(classes)
    start[0] = 1.0
    return _fit(design, np.zeros_like(logs), truth, start)


def fit_binary_slope(probabilities: Array, positive: Mask) -> Fit:
    """[b, a] of logit P(positive) = b logit p + a (Cox 1958, Biometrika 45)."""
    return fit_slope(np.stack([probabilities, 1 - probabilities], axis=1), np.where(positive, 0, 1).astype(np.int64))


def fit_intercept(probabilities: Array, positive: Mask) -> Fit:
    """[a] of logit P(positive) = logit p + a: calibration in the large.

    Van Calster et al. 2016 (J. Clin. Epidemiol. 74). a > 0: the class is more frequent than predicted.
    """
    logs = np.log(np.maximum(np.stack([probabilities, 1 - probabilities], axis=1), _TINY))
    design = np.zeros((len(logs), 2, 1))
    design[:, 0, 0] = 1.0
    return _fit(design, logs, np.stack([positive, ~positive], axis=1).astype(np.float64), np.zeros(1))


def _fit(design: Array, offset: Array, truth: Array, start: Array) -> Fit:
    """Newton's method on the multinomial log-likelihood, which is concave; steps are halved while they lose."""
    coefficients = start
    if (truth.sum(0) == 0).any() or truth.shape[1] < 2:
        coefficients = np.full_like(start, np.nan)
    likelihood = _log_likelihood(design, offset, truth, coefficients)
    for _ in range(_STEPS):
        scores, information = _derivatives(design, offset, truth, coefficients)
        total = information.sum(0) + 1e-9 * np.eye(len(start))
        if np.isnan(coefficients).any() or np.abs(coefficients).max() > _BOUND:
            return Fit(np.full_like(start, np.nan), scores, information)
        step = np.linalg.solve(total, scores.sum(0))
        while (after := _log_likelihood(design, offset, truth, coefficients + step)) < likelihood - 1e-9:
            step = step / 2
        coefficients, likelihood = coefficients + step, after
        if np.abs(step).max() < 1e-9:
            break
    if likelihood > -1e-6 * len(truth):  # separated: the optimum lies at infinity, and the steps have died out
        coefficients = np.full_like(start, np.nan)
    return Fit(coefficients, *_derivatives(design, offset, truth, coefficients))


def _log_softmax(design: Array, offset: Array, coefficients: Array) -> Array:
    linear = design @ coefficients + offset  # [n, classes]
    linear -= linear.max(1, keepdims=True)
    return np.asarray(linear - np.log(np.exp(linear).sum(1, keepdims=True)))


def _log_likelihood(design: Array, offset: Array, truth: Array, coefficients: Array) -> float:
    return float((truth * _log_softmax(design, offset, coefficients)).sum())


def _derivatives(design: Array, offset: Array, truth: Array, coefficients: Array) -> tuple[Array, Array]:
    """Score [n, parameters] and information [n, parameters, parameters] of each case."""
    expected = np.exp(_log_softmax(design, offset, coefficients))
    scores = np.einsum("nk,nkp->np", truth - expected, design)
    mean = np.einsum("nk,nkp->np", expected, design)
    second = np.matmul((design * expected[..., None]).transpose(0, 2, 1), design)
    return np.asarray(scores), np.asarray(second - mean[:, :, None] * mean[:, None, :])
