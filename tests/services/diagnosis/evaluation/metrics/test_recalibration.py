from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.linear_model import LogisticRegression

from services.diagnosis.evaluation.metrics.recalibration import fit_binary_slope, fit_intercept, fit_slope

RNG = np.random.default_rng(5)
ODDS = RNG.normal(size=2000)
POSITIVE = RNG.random(2000) < expit(0.7 * ODDS - 0.4)


def test_slope_and_intercept_are_those_of_scikit_learns_logistic_regression() -> None:
    reference = LogisticRegression(C=1e12, tol=1e-10).fit(ODDS[:, None], POSITIVE)
    slope, intercept = fit_binary_slope(expit(ODDS), POSITIVE).coefficients
    assert slope == pytest.approx(reference.coef_[0, 0], abs=1e-4)
    assert intercept == pytest.approx(reference.intercept_[0], abs=1e-4)


def test_doubling_the_log_odds_halves_the_slope_exactly() -> None:
    labels = RNG.integers(0, 4, 500)
    logits = RNG.normal(size=(500, 4)) + np.eye(4)[labels]
    once_, twice = (fit_slope(softmax(k * logits, axis=1), labels).coefficients[0] for k in (1, 2))
    assert twice == pytest.approx(once_ / 2, rel=1e-5)


def test_the_slope_of_exact_posteriors_is_one() -> None:
    probabilities = softmax(RNG.normal(size=(20_000, 3)), axis=1)
    labels = (RNG.random((20_000, 1)) > np.cumsum(probabilities, axis=1)).sum(1)
    assert fit_slope(probabilities, labels).coefficients[0] == pytest.approx(1.0, abs=0.05)


def test_the_fit_is_a_maximum_of_the_likelihood() -> None:
    labels = RNG.integers(0, 3, 300)
    logs = log_softmax(RNG.normal(size=(300, 3)) + np.eye(3)[labels], axis=1)
    found = fit_slope(np.exp(logs), labels).coefficients

    def likelihood(coefficients: np.ndarray) -> float:
        linear = coefficients[0] * logs + np.append(coefficients[1:], 0.0)
        return float(log_softmax(linear, axis=1)[np.arange(300), labels].sum())

    assert all(likelihood(found) >= likelihood(found + step) for step in 0.01 * np.vstack([np.eye(3), -np.eye(3)]))


def test_the_intercept_of_a_constant_prediction_is_the_difference_of_log_odds() -> None:
    positive = np.arange(100) < 75
    assert fit_intercept(np.full(100, 0.5), positive).coefficients[0] == pytest.approx(logit(0.75))


def test_one_newton_step_comes_close_to_refitting_each_resample() -> None:
    weights = np.stack([np.bincount(RNG.integers(2000, size=2000), minlength=2000) for _ in range(20)])
    quick = fit_binary_slope(expit(ODDS), POSITIVE).resampled(weights.astype(np.float64))
    for row, counts in enumerate(weights):
        copies = np.repeat(np.arange(2000), counts)
        slow = fit_binary_slope(expit(ODDS[copies]), POSITIVE[copies]).coefficients
        spread = quick.std(0)
        assert (np.abs(quick[row] - slow) < 0.15 * spread).all()


def test_separated_classes_have_no_slope() -> None:
    assert np.isnan(
        fit_binary_slope(np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])).coefficients
    ).all()
