"""Calibration curves after temperature and shift: fitted per class, and kept only where they pay on unseen cases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from services.diagnosis.inference.calibration import BetaCurve, Curve, IsotonicCurve, bend

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
FOLDS, KNOTS = 3, 24
BETA_PENALTY, BETA_ITERATIONS = 2.0, 25
LEAST_GAIN = 1.0
"""A curve must gain so many standard errors of the paired difference: ties go to no curve."""


def choose_curve(members: Array, labels: Labels) -> Curve | None:
    """The curve with the least cross-validated negative log-likelihood, None if none beats having none.

    Args:
        members: probabilities [members, n, classes] after temperature and shift; labels: [n].
    """
    plain = _surprise(members.mean(0), labels)
    best, best_gain = None, 0.0
    for fit in (fit_beta, fit_isotonic):
        gain = plain - _cross_validated(fit, members, labels)
        mean, error = float(gain.mean()), float(gain.std() / np.sqrt(len(gain)))
        if mean > max(best_gain, LEAST_GAIN * error):
            best, best_gain = fit, mean
    return None if best is None else best(members, labels)


def _cross_validated(fit: Callable[[Array, Labels], Curve], members: Array, labels: Labels) -> Array:
    """-log p of each case under the curve fitted without its fold, [n]."""
    fold = np.arange(len(labels)) % FOLDS
    out = np.zeros(len(labels))
    for held in range(FOLDS):
        curve = fit(members[:, fold != held], labels[fold != held])
        with torch.no_grad():
            bent = bend(curve, torch.from_numpy(members[:, fold == held])).mean(0).numpy()
        out[fold == held] = _surprise(bent, labels[fold == held])
    return out


def _surprise(probabilities: Array, labels: Labels) -> Array:
    return np.asarray(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-9)))


def fit_beta(members: Array, labels: Labels) -> BetaCurve:
    """Least negative log-likelihood of the normalised ensemble mean, shrunk towards the identity (a = b = 1, c = 0)."""
    mean, truth = torch.from_numpy(members.mean(0)), torch.from_numpy(labels)
    identity = torch.zeros(3, mean.shape[1], dtype=torch.float64)
    identity[:2] = 1.0
    change = torch.zeros_like(identity, requires_grad=True)
    optimizer = torch.optim.LBFGS([change], max_iter=BETA_ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        bent = bend(BetaCurve(identity + change), mean)
        loss = -bent[torch.arange(len(truth)), truth].log().sum() + BETA_PENALTY * change.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    fitted = (identity + change).detach()
    fitted[:2] = fitted[:2].clamp_min(0.05)  # a curve that falls would reorder the cases
    return BetaCurve(fitted)


def fit_isotonic(members: Array, labels: Labels) -> IsotonicCurve:
    """Isotonic regression of "is it class k" on the ensemble's probability, thinned to knots at its quantiles."""
    from sklearn.isotonic import IsotonicRegression

    mean = members.mean(0)
    knots = np.stack([np.quantile(column, np.linspace(0, 1, KNOTS)) for column in mean.T])
    knots = np.maximum.accumulate(knots + 1e-9 * np.arange(KNOTS), axis=1)
    levels = []
    for k, x in enumerate(knots):
        regression = IsotonicRegression(y_min=1e-4, y_max=1 - 1e-4, out_of_bounds="clip")
        regression.fit(mean[:, k], (labels == k).astype(np.float64))
        levels.append(regression.predict(x))
    return IsotonicCurve(torch.from_numpy(knots), torch.from_numpy(np.stack(levels)))
