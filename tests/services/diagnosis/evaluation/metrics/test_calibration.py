from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from services.diagnosis.evaluation.metrics.bootstrap import once
from services.diagnosis.evaluation.metrics.calibration import (
    absolute_calibration_error,
    bin_equally,
    brier_score,
    debiased_calibration_error,
    expected_calibration_error,
    log_losses,
    root,
    squared_calibration_error,
)

RNG = np.random.default_rng(1)
LABELS = RNG.integers(0, 3, 300)
PROBABILITIES = softmax(RNG.normal(size=(300, 3)) + np.eye(3)[LABELS], axis=1)
# Two bins of four: predictions 0.2 with 1 of 4 true, 0.8 with 2 of 4 true.
PREDICTIONS = np.array([0.2, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8, 0.8])
CAME_TRUE = np.array([0.0, 0, 0, 1, 0, 0, 1, 1])


def test_brier_score_by_hand() -> None:
    # (0.7, 0.2, 0.1) against the second class: 0.49 + 0.64 + 0.01.
    assert brier_score(np.array([[0.7, 0.2, 0.1]]), np.array([1]), once(1))[0] == pytest.approx(1.14)


def test_log_loss_is_that_of_scikit_learn() -> None:
    assert log_losses(PROBABILITIES, LABELS).mean() == pytest.approx(log_loss(LABELS, PROBABILITIES))


def test_log_loss_of_a_certain_error_is_finite() -> None:
    assert log_losses(np.array([[1.0, 0.0]]), np.array([1]))[0] == pytest.approx(-np.log(np.finfo(np.float64).eps))


def test_squared_calibration_error_by_hand() -> None:
    # Plug-in: (0.05^2 + 0.3^2) / 2 = 0.04625. Noise: 0.25 * 0.75 / 3 = 0.0625 and 0.5 * 0.5 / 3 = 0.08333, on average
    # 0.0729167.
    debiased, plug_in = squared_calibration_error(bin_equally(PREDICTIONS, CAME_TRUE, once(8), bins=2))
    assert plug_in[0] == pytest.approx(0.04625)
    assert debiased[0] == pytest.approx(0.04625 - 0.0729166667)
    assert root(debiased)[0] == 0.0


def test_absolute_calibration_error_by_hand() -> None:
    assert absolute_calibration_error(bin_equally(PREDICTIONS, CAME_TRUE, once(8), bins=2))[0] == pytest.approx(0.175)


def test_bins_of_a_weighted_sample_are_those_of_the_sample_written_out() -> None:
    predictions, came_true = RNG.random(50), RNG.integers(0, 2, 50).astype(np.float64)
    weights = RNG.integers(0, 4, (20, 50)).astype(np.float64)
    bins = bin_equally(predictions, came_true, weights, bins=7)
    for row, counts in enumerate(weights.astype(int)):
        copies = np.repeat(np.arange(50), counts)
        ordered = copies[np.argsort(predictions[copies], kind="stable")]
        parts = np.array_split(ordered, 7)
        assert bins.mass[row] == pytest.approx([len(part) for part in parts])
        assert bins.predicted[row] == pytest.approx([predictions[part].mean() for part in parts])
        assert bins.observed[row] == pytest.approx([came_true[part].mean() for part in parts])


def test_the_debiased_error_of_a_calibrated_model_is_zero_on_average_and_the_plug_in_is_not() -> None:
    rng = np.random.default_rng(2)
    found = []
    for _ in range(400):
        predictions = rng.random(300)
        came_true = (rng.random(300) < predictions).astype(np.float64)
        found.append([value[0] for value in squared_calibration_error(bin_equally(predictions, came_true, once(300)))])
    debiased, plug_in = np.array(found).T
    # Each bin of 20 holds noise of p (1 - p) / 20, 1/120 on average over p: the plug-in's expectation.
    assert abs(debiased.mean()) < 4 * debiased.std() / 20
    assert plug_in.mean() == pytest.approx(1 / 120, rel=0.1)


def test_the_error_of_a_model_that_is_off_by_a_tenth_is_a_tenth() -> None:
    rng = np.random.default_rng(3)
    claimed = 0.6 + 0.3 * rng.random(50_000)
    hit = rng.random(50_000) < claimed - 0.1
    probabilities = np.stack([claimed, 1 - claimed], axis=1)
    assert debiased_calibration_error(probabilities, (~hit).astype(np.int64)) == pytest.approx(0.1, abs=0.01)
    assert expected_calibration_error(probabilities, (~hit).astype(np.int64)) == pytest.approx(0.1, abs=0.01)


def test_more_bins_than_cases_leave_no_number_undefined() -> None:
    bins = bin_equally(np.array([0.1, 0.9]), np.array([0.0, 1.0]), once(2))
    assert np.isfinite(squared_calibration_error(bins)[0]).all()
    assert bins.mass.sum() == 2
