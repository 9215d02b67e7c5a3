"""Resting heart rate and variability: by hand, and against neurokit2."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from services.vitals.derived.domain import Evidence
from services.vitals.derived.heart import resting_heart_rate, variability
from services.vitals.domain import Point, in_order

NOW = datetime(2026, 3, 14, 9, tzinfo=UTC)


def beats(intervals: list[float], device: str = "strap", end: datetime = NOW) -> list[Point]:
    """Intervals, each at the beat that ends it."""
    at = end - timedelta(milliseconds=sum(intervals))
    found = []
    for interval in intervals:
        at += timedelta(milliseconds=interval)
        found.append(Point("8637-1", interval, "ms", at, device))
    return found


def walk() -> list[float]:
    """A random walk of 360 intervals, the same each time."""
    chance, interval, found = random.Random(4711), 800, []
    for _ in range(360):
        interval = max(650, min(950, interval + chance.randint(-30, 30)))
        found.append(float(interval))
    return found


def test_variability_is_what_another_library_finds() -> None:
    # neurokit2 0.3.0: hrv_time({"RRI": intervals, "RRI_Time": cumulated}) -> HRV_RMSSD, HRV_SDNN.
    rmssd, sdnn = variability(Evidence(NOW, beats(walk())))
    assert rmssd.value == pytest.approx(17.18958679405697, rel=1e-12)
    assert sdnn.value == pytest.approx(84.80714845806551, rel=1e-12)
    assert rmssd.completeness == pytest.approx(287.344 / 300, abs=1e-3)
    assert len(rmssd.inputs) == 360


def test_variability_by_hand() -> None:
    # Differences 20, -40, 30: mean square 2900/3. Deviations from 802.5: -2.5, 17.5, -22.5, 7.5.
    rmssd, sdnn = variability(Evidence(NOW, beats([800, 820, 780, 810])))
    assert rmssd.value == pytest.approx((2900 / 3) ** 0.5)
    assert sdnn.value == pytest.approx(((2.5**2 + 17.5**2 + 22.5**2 + 7.5**2) / 3) ** 0.5)


def test_ectopic_beats_and_gaps_make_no_difference() -> None:
    clean, _ = variability(Evidence(NOW, beats([800, 820, 780, 810])))
    # An early beat, its pause, and the beat that differs from the pause are left out: differences 20, -40, 30, -40, 30.
    rmssd, _ = variability(Evidence(NOW, beats([800, 820, 780, 810, 500, 1150, 800, 820, 780, 810])))
    assert rmssd.value == pytest.approx((5400 / 5) ** 0.5)
    early = beats([800, 820, 780, 810], end=NOW - timedelta(minutes=1))
    rmssd, _ = variability(Evidence(NOW, [*early, *beats([800, 820, 780, 810])]))
    assert rmssd.value == pytest.approx(clean.value)


def test_averaged_heart_rates_give_no_variability() -> None:
    rates = [Point("8867-4", 70.0 + n % 3, "/min", NOW - timedelta(seconds=60 - n), "watch") for n in range(60)]
    for derived in variability(Evidence(NOW, rates)):
        assert derived.value is None
        assert derived.missing == ("R-R intervals",)
        assert "averages" in (derived.reason or "")


def test_intervals_whose_order_is_not_known_give_none() -> None:
    points = [Point("8637-1", value, "ms", NOW, "strap") for value in (800.0, 820.0, 780.0)]
    assert all(derived.value is None and derived.reason for derived in variability(Evidence(NOW, points)))


def test_devices_are_not_mixed() -> None:
    points = in_order([*beats([800, 820, 780, 810]), *beats([900, 905, 910], "other", NOW - timedelta(milliseconds=1))])
    rmssd, _ = variability(Evidence(NOW, points))
    assert {point.device for point in rmssd.inputs} == {"strap"}


def rate(minutes_ago: float, value: float) -> Point:
    return Point("8867-4", value, "/min", NOW - timedelta(minutes=minutes_ago), "watch")


def steps(minutes_ago: float, value: float) -> Point:
    return Point("55423-8", value, "{steps}", NOW - timedelta(minutes=minutes_ago), "watch")


def test_heart_rates_soon_after_steps_are_not_at_rest() -> None:
    points = [rate(200, 60), rate(100, 62), rate(63, 58), steps(50, 120), rate(45, 130), rate(38, 100), rate(37.9, 64)]
    found = resting_heart_rate(Evidence(NOW, points))
    assert found.value == 61  # of 58, 60, 62, 64
    assert found.completeness == pytest.approx(3 / 24, abs=1e-3)  # in the first, second and fourth hour back


def test_rest_cannot_be_told_without_steps() -> None:
    found = resting_heart_rate(Evidence(NOW, [rate(100, 60)]))
    assert (found.value, found.missing) == (None, ("steps",))
    assert resting_heart_rate(Evidence(NOW, [steps(100, 0)])).missing == ("heart rate",)


def test_zero_steps_are_rest() -> None:
    assert resting_heart_rate(Evidence(NOW, [steps(10, 0), rate(5, 60)])).value == 60


def test_heart_rates_of_yesterday_are_left_out() -> None:
    assert resting_heart_rate(Evidence(NOW, [rate(25 * 60, 50), steps(20 * 60, 3), rate(5, 60)])).value == 60
