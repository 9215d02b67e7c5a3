from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from services.diagnosis.evaluation.metrics.curves import reliability_curve, smooth_curve

RNG = np.random.default_rng(10)


def test_bins_by_hand_with_exact_intervals() -> None:
    points = reliability_curve(np.repeat((0.8, 0.2), 4), np.array([0.0, 0, 1, 1, 0, 0, 0, 1]), bins=2)
    assert [(p["predicted"], p["observed"], p["n"]) for p in points] == [(0.2, 0.25, 4), (0.8, 0.5, 4)]
    reference = binomtest(1, 4).proportion_ci(0.95, method="exact")
    assert (points[0]["low"], points[0]["high"]) == pytest.approx((reference.low, reference.high))


def test_the_smooth_curve_follows_a_known_distortion() -> None:
    predictions = RNG.random(20_000)
    curve = smooth_curve(predictions, (RNG.random(20_000) < predictions**2).astype(float))
    assert curve is not None
    assert np.array(curve["observed"]) == pytest.approx(np.array(curve["predicted"]) ** 2, abs=0.04)


def test_a_constant_prediction_has_no_curve() -> None:
    assert smooth_curve(np.full(100, 0.3), RNG.integers(0, 2, 100).astype(float)) is None


def test_one_outcome_alone_has_no_curve() -> None:
    assert smooth_curve(RNG.random(100), np.ones(100)) is None
