from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from services.diagnosis.training.metrics import (
    binomial_interval,
    brier_score,
    expected_calibration_error,
    macro_auroc,
    with_interval,
)

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 300)
LOGITS = RNG.normal(size=(300, 3)) + np.eye(3)[LABELS]
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)


def test_macro_auroc_is_that_of_scikit_learn() -> None:
    coarse = PROBABILITIES.round(1)  # with ties
    reference = np.mean([roc_auc_score(k == LABELS, coarse[:, k]) for k in range(3)])
    assert macro_auroc(coarse, LABELS) == pytest.approx(reference)


def test_calibration_error_by_hand() -> None:
    # Two bins of two: (0.6, 0.6) with one hit, (0.9, 0.9) with two: gaps 0.1 and 0.1.
    probabilities = np.array([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    assert expected_calibration_error(probabilities, np.array([0, 1, 0, 0]), bins=2) == pytest.approx(0.1)


def test_brier_score_of_certainty_is_zero_or_two() -> None:
    certain = np.array([[1.0, 0.0]])
    assert (brier_score(certain, np.array([0])), brier_score(certain, np.array([1]))) == (0.0, 2.0)


def test_the_exact_binomial_interval_is_the_tabled_one() -> None:
    # Clopper-Pearson, 8 of 10: 0.4439 to 0.9748 (scipy.stats.binomtest gives the same).
    interval = binomial_interval(8, 10)
    assert (interval["low"], interval["high"]) == pytest.approx((0.4439, 0.9748), abs=1e-4)


def test_the_bootstrap_interval_holds_the_value() -> None:
    interval = with_interval(macro_auroc, PROBABILITIES, LABELS, seed=0)
    assert interval["low"] < interval["value"] < interval["high"]


def test_cases_of_one_patient_are_drawn_together() -> None:
    # Each case copied ten times under its patient's name says no more than once: the interval stays as wide.
    patients = np.array([f"P{k}" for k in range(len(LABELS))])
    once = with_interval(macro_auroc, PROBABILITIES, LABELS, seed=0, patients=patients)
    copies = np.repeat(np.arange(len(LABELS)), 10)
    again = with_interval(macro_auroc, PROBABILITIES[copies], LABELS[copies], seed=0, patients=patients[copies])
    assert again == pytest.approx(once)
    apart = with_interval(macro_auroc, PROBABILITIES[copies], LABELS[copies], seed=0)
    assert apart["high"] - apart["low"] < once["high"] - once["low"]


def test_draws_without_a_second_class_do_not_count() -> None:
    interval = with_interval(macro_auroc, np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]), seed=0)
    assert interval == {"value": 1.0, "low": 1.0, "high": 1.0}
