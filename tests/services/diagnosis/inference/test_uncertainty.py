from __future__ import annotations

import math

import numpy as np
import pytest

from services.diagnosis.inference.uncertainty import decompose, fit_intervals, logit
from services.diagnosis.model.modalities import PATTERNS


def test_members_that_contradict_each_other_are_all_epistemic() -> None:
    uncertainty = decompose(np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert (uncertainty.total, uncertainty.aleatoric) == pytest.approx((math.log(2), 0.0))
    assert uncertainty.epistemic == pytest.approx(math.log(2))


def test_members_that_agree_on_a_coin_are_all_aleatoric() -> None:
    uncertainty = decompose(np.full((5, 2), 0.5))
    assert (uncertainty.aleatoric, uncertainty.epistemic) == pytest.approx((math.log(2), 0.0))


def test_intervals_hold_the_known_truth_nine_times_in_ten() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2, 2000, 3))
    noise = rng.normal(scale=0.5, size=(2, 5, 2000, 3)) + rng.normal(scale=0.4, size=(2, 1, 2000, 3))
    members, posteriors = 1 / (1 + np.exp(-(truth[:, None] + noise))), 1 / (1 + np.exp(-truth))
    scale = fit_intervals(dict.fromkeys(PATTERNS, members[0]), dict.fromkeys(PATTERNS, posteriors[0]))
    hits = [
        low <= posteriors[1, i, 0] <= high
        for i in range(2000)
        for low, high in [scale.interval(members[1, :, i, 0], "image")]
    ]
    assert 0.87 < np.mean(hits) < 0.93


def test_an_interval_holds_its_own_probability() -> None:
    members = np.random.default_rng(0).uniform(0.2, 0.4, (5, 100, 3))
    scale = fit_intervals(dict.fromkeys(PATTERNS, members), dict.fromkeys(PATTERNS, members.mean(0)))
    low, high = scale.interval(members[:, 0, 0], "note")
    assert low <= members[:, 0, 0].mean() <= high


def test_log_odds_stay_finite_at_certainty() -> None:
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


def test_an_interval_holds_a_probability_beyond_the_log_odds_that_are_told_apart() -> None:
    members = np.full((3, 1, 2), 0.4)
    scale = fit_intervals(dict.fromkeys(PATTERNS, members), dict.fromkeys(PATTERNS, members.mean(0)))
    for certain in (1e-9, 1 - 1e-9):
        low, high = scale.interval(np.full(3, certain), "note")
        assert low <= certain <= high
