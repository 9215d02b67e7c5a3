from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.online import AdaptiveLevel, Jumper, rank_p_value, watch


def test_a_miss_lowers_the_error_rate_and_a_hit_raises_it_a_little() -> None:
    start = AdaptiveLevel(target=0.1, alpha=0.1, rate=0.05)
    assert start.after(covered=False).alpha == pytest.approx(0.1 + 0.05 * (0.1 - 1))
    assert start.after(covered=True).alpha == pytest.approx(0.1 + 0.05 * 0.1)


def test_long_run_coverage_is_kept_although_the_stream_drifts() -> None:
    # Gibbs & Candès, proposition 4.1: |mean error - target| <= (max(a, 1 - a) + rate) / (steps * rate).
    rng, level, errors, steps, rate = np.random.default_rng(0), AdaptiveLevel(rate=0.02), 0, 4000, 0.02
    for step in range(steps):
        score = rng.random() ** (1 + step / 1000)  # ever more often small, then the fixed quantile would over-cover
        covered = score <= 1 - level.alpha
        errors += not covered
        level = level.after(covered)
    assert abs(errors / steps - 0.1) <= (0.9 + rate) / (steps * rate)


def test_one_step_of_the_jumper_by_hand() -> None:
    # Capital 1/3 each, no jump: p = 0.1 multiplies by 1.4, 1 and 0.6.
    after = Jumper(jump=0.0).after(0.1)
    assert after.capitals == pytest.approx((1.4 / 3, 1 / 3, 0.6 / 3))
    # A jump of 0.3 then moves three tenths of the capital 1 to a tenth each: 0.7 * 1.4/3 + 0.1 = 0.42667, …
    second = Jumper(after.capitals, jump=0.3).after(0.5)
    assert second.capitals == pytest.approx((0.7 * 1.4 / 3 + 0.1, 0.7 / 3 + 0.1, 0.7 * 0.6 / 3 + 0.1))


def test_ranks_count_equals_half() -> None:
    assert rank_p_value(0.5, [0.1, 0.5, 0.9]) == pytest.approx((1 + 2 / 2) / 4)
    assert rank_p_value(0.5, []) == 0.5


def test_exchangeable_streams_hardly_ever_alarm() -> None:
    rng = np.random.default_rng(1)
    alarms = sum(watch(rng.random(400)).alarms(0.05) for _ in range(200))
    assert alarms <= 18  # P(Bin(200, 0.05) > 18) = 0.006


def test_a_shift_after_calibration_alarms() -> None:
    rng = np.random.default_rng(2)
    shifted = watch(rng.beta(2, 1, 500), calibration=rng.random(500).tolist())
    assert shifted.alarms(0.01)


def test_the_jumper_is_that_of_mapie() -> None:
    from mapie.exchangeability_testing import OnlineMartingaleTest

    theirs, ours = OnlineMartingaleTest(jump_size=0.03), Jumper(jump=0.03)
    for p_value in np.random.default_rng(3).beta(1, 2, 300):
        ours = ours.after(float(p_value))
        assert ours.capital == pytest.approx(theirs.update_simple_jumper_martingale(float(p_value)))
