from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.model.preprocessing.rhythm import KINDS, rhythm_statistics
from services.diagnosis.model.preprocessing.vitals import CODES, Readings, VitalsScale

SCALE = VitalsScale(tuple([80.0] * len(CODES)), tuple([10.0] * len(CODES)))


def rhythm(values: list[float], times_h: list[float]) -> dict[str, float]:
    """Of variable 0, a level of 80 and a deviation of 10 known from training."""
    readings = Readings(np.array(times_h), np.zeros(len(values), np.int64), np.array(values), 0)
    table = rhythm_statistics(readings, SCALE)
    return {kind: float(table[place * len(CODES)]) for place, kind in enumerate(KINDS)} | {"span": float(table[-1])}


def test_the_rhythm_of_a_ramp_by_hand() -> None:
    # 80, 90, 100, 110 every half hour: standardised 0, 1, 2, 3; a change of 1 each, 2 per hour.
    found = rhythm([80, 90, 100, 110], [-1.5, -1.0, -0.5, 0.0])
    assert found["lowest"] == pytest.approx(0.15)  # numpy's 5 % quantile of 0, 1, 2, 3
    assert found["highest"] == pytest.approx(2.85)
    assert found["interval"] == pytest.approx(np.log(0.5))
    assert found["change"] == pytest.approx(np.log(1.001))
    assert found["speed"] == pytest.approx(np.log(2.001))
    assert found["repeats"] == 0
    assert found["span"] == pytest.approx(np.log(1.5))


def test_a_clock_24_times_too_fast_shows_in_interval_speed_and_span() -> None:
    values, times = [80.0, 90, 100, 110, 100], [-48.0, -36, -24, -12, 0]
    real, fast = rhythm(values, times), rhythm(values, [t / 24 for t in times])
    assert real["interval"] - fast["interval"] == pytest.approx(np.log(24))
    assert real["span"] - fast["span"] == pytest.approx(np.log(24))
    assert fast["speed"] > real["speed"] + 2.5
    assert fast["highest"] == real["highest"]


def test_a_stuck_sensor_repeats_itself() -> None:
    assert rhythm([80.0] * 6, [-5.0, -4, -3, -2, -1, 0])["repeats"] == 1


def test_three_readings_have_no_rhythm_yet() -> None:
    assert np.isnan(rhythm([80, 90, 85], [-2.0, -1.0, 0.0])["interval"])
