from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from services.diagnosis.evaluation.baselines.calibration import PatternCalibration
from services.diagnosis.evaluation.baselines.features import Array, Rows


def drawn(n: int, seed: int) -> tuple[Array, Rows]:
    """True log-probabilities [n, 3] and labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3)) * 1.5
    return logits, (softmax(logits, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).astype(np.int64)


def test_logits_that_are_twice_too_sure_get_temperature_two() -> None:
    logits, labels = drawn(6000, 1)
    fitted = PatternCalibration.fit(2 * logits[None], np.ones(6000, np.int64), labels, 2)
    np.testing.assert_allclose(fitted.temperatures[1], 2, rtol=0.08)
    probabilities = fitted.probabilities(2 * logits[None], np.ones(6000, np.int64))
    assert np.abs(probabilities - softmax(logits, axis=1)).mean() < 0.02


def test_every_pattern_has_its_own_temperature() -> None:
    logits, labels = drawn(8000, 2)
    codes = np.arange(8000) % 2 + 1
    skewed = logits * np.where(codes == 1, 3.0, 0.5)[:, None]
    fitted = PatternCalibration.fit(skewed[None], codes, labels, 4)
    assert fitted.temperatures[1].mean() == pytest.approx(3, rel=0.1)
    assert fitted.temperatures[2].mean() == pytest.approx(0.5, rel=0.1)


def test_a_class_that_is_always_overrated_is_shifted_down() -> None:
    logits, labels = drawn(6000, 3)
    fitted = PatternCalibration.fit((logits + np.array([1.0, 0, 0]))[None], np.ones(6000, np.int64), labels, 2)
    shift = fitted.shifts[1] - fitted.shifts[1].mean()
    np.testing.assert_allclose(shift, [-2 / 3, 1 / 3, 1 / 3], atol=0.12)  # -1, centred


def test_members_are_averaged_as_probabilities() -> None:
    members = np.log(np.array([[[0.9, 0.1]], [[0.5, 0.5]]]))
    answer = PatternCalibration.none(2, 2).probabilities(members, np.array([1]))
    np.testing.assert_allclose(answer, [[0.7, 0.3]])


def test_json_keeps_every_bit() -> None:
    logits, labels = drawn(100, 4)
    fitted = PatternCalibration.fit(logits[None], np.ones(100, np.int64), labels, 2)
    again = PatternCalibration.from_json(fitted.to_json())
    np.testing.assert_array_equal(again.temperatures, fitted.temperatures)
    np.testing.assert_array_equal(again.shifts, fitted.shifts)
