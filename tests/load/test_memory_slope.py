"""The slope by which growing memory is told from flat memory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress

from tests.load.memory_slope import slope_of

HOURS = np.arange(120) * 15 / 3600


def test_the_slope_is_that_of_least_squares() -> None:
    mib = 200 + 30 * HOURS + np.random.default_rng(0).normal(0, 2, len(HOURS))
    assert slope_of(HOURS, mib, 0).per_hour == pytest.approx(linregress(HOURS, mib).slope)


def test_an_exact_line_leaves_no_doubt() -> None:
    found = slope_of(HOURS, 200 + 30 * HOURS, 20)
    assert (found.low, found.per_hour, found.high) == pytest.approx((30, 30, 30))


def test_noise_that_stays_for_a_while_widens_the_interval() -> None:
    steps = np.repeat(np.random.default_rng(1).normal(0, 2, 12), 10)
    plain, kept = slope_of(HOURS, 200 + steps, 0), slope_of(HOURS, 200 + steps, 20)
    assert kept.high - kept.low > plain.high - plain.low


def test_in_most_runs_of_steady_noise_the_interval_holds_the_truth() -> None:
    chance = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        noise = np.repeat(chance.normal(0, 2, 24), 5)
        found = slope_of(HOURS, 200 + 5 * HOURS + noise, 20)
        held += found.low <= 5 <= found.high
    assert held / 200 > 0.8  # 95 % in the limit of long series


def test_two_samples_are_too_few() -> None:
    with pytest.raises(ValueError, match="three are needed"):
        slope_of([0, 1], [1, 2], 0)
