from __future__ import annotations

import numpy as np

from services.diagnosis.inference.attribution.resting import resting_levels

HOURS = np.arange(-48.0, 0.0)
ONE = np.zeros(len(HOURS), np.int64)


def test_a_patient_is_measured_from_the_first_hours() -> None:
    levels = np.where(HOURS < -20, 0.4, 3.0)
    np.testing.assert_allclose(resting_levels(levels, HOURS, ONE), 0.4)


def test_who_begins_ill_is_measured_from_what_is_usual() -> None:
    np.testing.assert_allclose(resting_levels(np.full(len(HOURS), 3.0), HOURS, ONE), 1.0)
    np.testing.assert_allclose(resting_levels(np.full(len(HOURS), -3.0), HOURS, ONE), -1.0)


def test_a_short_series_is_measured_from_the_mean() -> None:
    late = HOURS > -20
    np.testing.assert_allclose(resting_levels(np.full(late.sum(), 0.7), HOURS[late], ONE[late]), 0.0)


def test_each_sign_has_its_own_beginning() -> None:
    variables = np.tile([0, 3], len(HOURS) // 2)
    resting = resting_levels(np.where(variables == 0, 0.2, -0.6), HOURS, variables)
    np.testing.assert_allclose(resting[variables == 0], 0.2)
    np.testing.assert_allclose(resting[variables == 3], -0.6)


def test_nothing_read_has_no_level() -> None:
    assert resting_levels(np.zeros(0), np.zeros(0), np.zeros(0, np.int64)).shape == (0,)
