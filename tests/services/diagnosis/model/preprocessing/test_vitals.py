from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from services.diagnosis.case import VitalsInput
from services.diagnosis.model.preprocessing.vitals import CODES, VitalsScale, reading_features, select
from shared.codes import HEART_RATE, OXYGEN_SATURATION

SCALE = VitalsScale(mean=(80.0,) + (0.0,) * 7, deviation=(10.0,) + (1.0,) * 7)


def vitals(times_h: list[float], codes: list[str], values: list[float]) -> VitalsInput:
    return VitalsInput("v", np.array(times_h), tuple(codes), np.array(values))


def test_a_reading_is_told_beside_the_one_before_it() -> None:
    heart_rate = HEART_RATE.code
    readings = select(vitals([-3.0, -1.0], [heart_rate] * 2, [80.0, 100.0]))
    features = reading_features(readings, SCALE)
    # value (100 - 80) / 10, change 2, gap ln(1 + 2 h), not the first
    np.testing.assert_allclose(features[1], [2.0, 2.0, np.log(3), 0.0], rtol=1e-6)


def test_the_first_reading_of_a_variable_has_no_predecessor() -> None:
    readings = select(vitals([-3.0, -1.0], [HEART_RATE.code, OXYGEN_SATURATION.code], [80.0, 95.0]))
    assert reading_features(readings, SCALE)[:, 3].tolist() == [1.0, 1.0]


def test_what_is_said_of_a_reading_does_not_depend_on_when_the_case_is_read() -> None:
    codes = [HEART_RATE.code, OXYGEN_SATURATION.code, HEART_RATE.code]
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    now = select(vitals([-3.0, -2.0, -1.0], codes, [80.0, 95.0, 100.0]), noon)
    later = select(vitals([-8.0, -7.0, -6.0], codes, [80.0, 95.0, 100.0]), noon + timedelta(hours=5))
    np.testing.assert_array_equal(reading_features(now, SCALE), reading_features(later, SCALE))
    assert now.clocks_h().tolist() == later.clocks_h().tolist() == [9.0, 10.0, 11.0]


def test_samples_of_one_moment_may_come_in_any_order() -> None:
    codes = [HEART_RATE.code] * 4
    one = select(vitals([-2, -1, -1, -0.5], codes, [70, 90, 110, 80]))
    other = select(vitals([-2, -1, -1, -0.5], codes, [70, 110, 90, 80]))
    np.testing.assert_array_equal(reading_features(one, SCALE), reading_features(other, SCALE))


def test_what_no_living_person_shows_is_left_out_and_counted() -> None:
    readings = select(vitals([-2, -1, -0.5], [OXYGEN_SATURATION.code] * 3, [130.0, np.nan, 96.0]))
    assert (readings.values.tolist(), readings.refused) == ([96.0], 2)


def test_an_alias_is_the_same_variable() -> None:
    readings = select(vitals([-1.0], ["2708-6"], [95.0]))
    assert CODES[readings.variables[0]] == OXYGEN_SATURATION.code


def test_unknown_codes_and_the_future_are_left_out() -> None:
    readings = select(vitals([-1.0, 1.0], ["0000-0", HEART_RATE.code], [1.0, 80.0]))
    assert len(readings.times_h) == 0
