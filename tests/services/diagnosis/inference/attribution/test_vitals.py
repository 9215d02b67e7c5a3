from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from services.diagnosis.inference.attribution.vitals import explain_vitals, profile_vitals
from services.diagnosis.inference.prediction import VitalsExplanation
from services.diagnosis.model.preprocessing.vitals import CODES, Readings

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOURS = np.arange(-48.0, 0.0, 1.0) + 0.5
READINGS = Readings(HOURS, np.zeros(len(HOURS), np.int64), np.full(len(HOURS), 80.0), 0)
UNCHANGED = np.zeros(len(HOURS))


def test_a_window_ends_where_the_attribution_ends() -> None:
    parts = np.where((HOURS > -20) & (HOURS < -10), 0.1, 0.0)
    windows, residual = explain_vitals(READINGS, UNCHANGED, parts, 1.0, AS_OF)
    assert len(windows) == 1
    assert hours_of(windows[0]) == pytest.approx((-19.5, -10.5))
    assert windows[0].contribution == pytest.approx(1.0)
    assert residual == pytest.approx(0.0, abs=1e-9)


def hours_of(window: VitalsExplanation) -> tuple[float, float]:
    from_h, to_h = ((moment - AS_OF).total_seconds() / 3600 for moment in (window.from_, window.to))
    return from_h, to_h


@pytest.mark.parametrize(("change", "from_h"), [(1.0, -29.5), (0.3, -29.5), (0.05, -9.5), (-1.0, -9.5)])
def test_a_window_lasts_as_long_as_its_sign_is_changed(change: float, from_h: float) -> None:
    # The network forgets: its attributions begin 20 hours after the heart rate began to rise.
    parts = np.where(HOURS > -10, 0.1, np.where(HOURS > -30, 1e-3, 0.0))
    changes = np.where(HOURS > -10, 1.0, np.where(HOURS > -30, change, 0.0))
    (window,), _ = explain_vitals(READINGS, changes, parts, 1.0, AS_OF)
    assert hours_of(window) == pytest.approx((from_h, -0.5))


def test_a_window_does_not_reach_into_the_other_one() -> None:
    parts = np.where(HOURS < -30, -0.2, np.where(HOURS > -10, 0.15, 0.0))
    windows, _ = explain_vitals(READINGS, np.ones(len(HOURS)), parts, float(parts.sum()), AS_OF)
    against, speaks_for = (hours_of(window) for window in sorted(windows, key=lambda w: w.contribution))
    assert against[1] < speaks_for[0]


def test_what_speaks_for_and_what_speaks_against_are_two_windows() -> None:
    parts = np.where(HOURS < -30, -0.1, np.where(HOURS > -10, 0.2, 0.0))
    windows, residual = explain_vitals(READINGS, UNCHANGED, parts, 3.0, AS_OF)
    assert [window.contribution > 0 for window in windows] == [True, False]
    assert sum(window.contribution for window in windows) == pytest.approx(3.0)
    assert residual == pytest.approx(3.0 - parts.sum())


def test_no_reading_counts_in_two_windows() -> None:
    parts = np.where(np.arange(len(HOURS)) % 5 == 0, -0.1, 0.1)
    windows, _ = explain_vitals(READINGS, UNCHANGED, parts, float(parts.sum()), AS_OF)
    spans = sorted((window.from_, window.to) for window in windows)
    assert all(first[1] < second[0] for first, second in pairwise(spans))


def test_profiles_sum_to_the_attributions_and_end_at_the_case_time() -> None:
    parts = np.where(HOURS > -6, 0.5, 0.0)
    (profile,) = profile_vitals(READINGS, parts)
    assert profile.code == CODES[0]
    assert profile.slot_hours * len(profile.contributions) == 96
    assert profile.contributions[-1] == pytest.approx(3.0)
    assert sum(profile.contributions[:-1]) == pytest.approx(0.0)


def test_attributions_of_nothing_give_no_window() -> None:
    windows, residual = explain_vitals(READINGS, UNCHANGED, np.zeros(len(HOURS)), 0.4, AS_OF)
    assert windows == ()
    assert residual == pytest.approx(0.4)
