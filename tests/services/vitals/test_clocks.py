"""Clocks of devices: expected offsets by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vitals.clocks import CORRECT_FROM, Confidence, Reading, estimate

T0 = datetime(2026, 3, 14, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def reading(after: timedelta, behind: timedelta) -> Reading:
    """The clock, looked at so long after T0, is so much behind."""
    return Reading(T0 + after - behind, T0 + after)


def test_clock_that_is_behind_is_added_to() -> None:
    known = estimate([reading(HOUR, timedelta(minutes=10))])
    assert known.correct(T0) == T0 + timedelta(minutes=10)
    assert (known.confidence, known.drift_ppm) == (Confidence.LOW, None)


@pytest.mark.parametrize("seconds", [0, 5, 59, -59])
def test_difference_that_latency_explains_is_left_alone(seconds: int) -> None:
    assert estimate([reading(HOUR, timedelta(seconds=seconds))]).correct(T0) is None


@pytest.mark.parametrize(
    "shown_first", [datetime(1970, 1, 1, tzinfo=UTC), T0.replace(year=2027), datetime(1980, 1, 6, tzinfo=UTC)]
)
def test_clock_of_another_year_keeps_the_distances(shown_first: datetime) -> None:
    # It started at this date when it was switched on, ten minutes before it sent.
    known = estimate([Reading(shown_first + timedelta(minutes=10), T0)])
    assert known.correct(shown_first + timedelta(minutes=3)) == T0 - timedelta(minutes=7)


def test_drift_is_told_from_looks_a_day_apart_and_taken_back_for_older_samples() -> None:
    # 10 minutes behind, and 50 ppm slower: 4.32 seconds a day.
    behind = [timedelta(minutes=10) + n * timedelta(seconds=4.32) for n in range(4)]
    known = estimate([reading(n * DAY, b) for n, b in enumerate(behind)])
    assert known.drift_ppm == pytest.approx(50)
    assert known.confidence is Confidence.HIGH
    day_two = T0 + 2 * DAY
    assert known.correct(day_two - behind[2]) is not None
    error = (known.correct(day_two - behind[2]) or T0) - day_two
    assert abs(error) < timedelta(milliseconds=10)


def test_clock_that_was_set_forward_is_corrected_by_the_time_before_and_after() -> None:
    # An hour behind until somebody sets it; what it stamped before had passed no later time.
    readings = [reading(timedelta(0), HOUR), reading(DAY, timedelta(0))]
    known = estimate(readings)
    assert known.confidence is Confidence.LOW
    assert known.correct(T0 - 2 * HOUR) == T0 - HOUR
    assert known.correct(T0 + 5 * HOUR) is None


def test_clock_that_was_set_counts_as_new_until_it_is_seen_thrice() -> None:
    before = [reading(n * HOUR, HOUR) for n in range(5)]
    after = [reading((5 + n) * HOUR, timedelta(0)) for n in range(3)]
    assert [estimate(before[: n + 1]).confidence.value for n in range(5)] == ["low", "low", "high", "high", "high"]
    found = [estimate([*before, *after[: n + 1]]).confidence.value for n in range(3)]
    assert found == ["low", "low", "high"]


@given(
    behind_s=st.integers(-(10**8), 10**8),
    looks=st.lists(st.integers(1, 10**6), min_size=1, max_size=8),
    age_s=st.integers(0, 10**6),
)
def test_constant_offset_is_found_exactly(behind_s: int, looks: list[int], age_s: int) -> None:
    behind, at = timedelta(seconds=behind_s), timedelta(0)
    readings = []
    for gap in looks:
        at += timedelta(seconds=gap)
        readings.append(reading(at, behind))
    true = T0 + at - timedelta(seconds=age_s)
    corrected = estimate(readings).correct(true - behind)
    assert corrected == (true if abs(behind) >= CORRECT_FROM else None)
