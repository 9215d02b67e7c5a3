from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from services.diagnosis.evaluation.metrics.bootstrap import PLUG_IN, once
from services.diagnosis.evaluation.metrics.calibration import bin_equally, brier_score, class_bins
from services.diagnosis.evaluation.metrics.decomposition import decompose_brier

RNG = np.random.default_rng(4)


def test_parts_by_hand() -> None:
    # One class, bins of four: (f, o) = (0.2, 1/4) and (0.8, 2/4), base rate 3/8, no spread inside the bins.
    bins = bin_equally(np.repeat((0.2, 0.8), 4), np.array([0.0, 0, 0, 1, 0, 0, 1, 1]), once(8), bins=2)
    brier = np.array([(3 * 0.04 + 0.64 + 2 * 0.64 + 2 * 0.04) / 8])
    parts = decompose_brier(brier, [bins])
    noise, drift = (0.25 * 0.75 / 3 + 0.25 / 3) / 2, 0.375 * 0.625 / 7
    assert parts["brier_reliability" + PLUG_IN][0] == pytest.approx(0.04625)
    assert parts["brier_resolution" + PLUG_IN][0] == pytest.approx(0.125**2)
    assert parts["brier_uncertainty" + PLUG_IN][0] == pytest.approx(0.375 * 0.625)
    assert parts["brier_reliability"][0] == pytest.approx(0.04625 - noise)
    assert parts["brier_resolution"][0] == pytest.approx(0.125**2 - noise + drift)
    assert parts["brier_uncertainty"][0] == pytest.approx(0.375 * 0.625 + drift)
    assert parts["brier_within_bins"][0] == pytest.approx(0.0)


def test_what_the_bins_miss_is_the_variance_and_covariance_inside_them() -> None:
    # Stephenson, Coelho & Jolliffe 2008: variance of the forecasts in the bins minus twice their covariance with the
    # outcome.
    labels = RNG.integers(0, 3, 200)
    probabilities = softmax(RNG.normal(size=(200, 3)) + np.eye(3)[labels], axis=1)
    expected = 0.0
    for k in range(3):
        forecast, came_true = probabilities[:, k], (labels == k).astype(float)
        for part in np.array_split(np.argsort(forecast, kind="stable"), 15):
            f, o = forecast[part] - forecast[part].mean(), came_true[part] - came_true[part].mean()
            expected += ((f**2).sum() - 2 * (f * o).sum()) / 200
    bins = [class_bins(probabilities, labels, k, once(200)) for k in range(3)]
    parts = decompose_brier(brier_score(probabilities, labels, once(200)), bins)
    assert parts["brier_within_bins"][0] == pytest.approx(expected)


def test_a_forecast_of_the_base_rate_neither_resolves_nor_misleads() -> None:
    found = []
    for _ in range(300):
        came_true = (RNG.random(150) < 0.3).astype(float)
        bins = bin_equally(np.full(150, 0.3), came_true, once(150))
        parts = decompose_brier(np.array([((0.3 - came_true) ** 2).mean()]), [bins])
        found.append([parts[name][0] for name in ("brier_reliability", "brier_resolution", "brier_uncertainty")])
    reliability, resolution, uncertainty = np.mean(found, axis=0)
    error = np.std(found, axis=0) / np.sqrt(300)
    assert abs(reliability) < 4 * error[0]
    assert abs(resolution) < 4 * error[1]
    assert uncertainty == pytest.approx(0.21, abs=4 * error[2])
