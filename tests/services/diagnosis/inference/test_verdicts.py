from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.inference.verdicts import (
    CRITICAL,
    NEVER,
    VerdictTable,
    controlled_threshold,
    fit_verdicts,
    lower_threshold,
)
from services.diagnosis.model.modalities import PATTERNS
from shared.codes import DIAGNOSES

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
CLASSES, PATTERN = len(DIAGNOSES), PATTERNS[-1]


def draw(n: int, seed: int) -> tuple[Array, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    logits = rng.normal(size=(n, CLASSES))
    logits[np.arange(n), labels] += 1.5
    weights = np.exp(logits)
    return weights / weights.sum(1, keepdims=True), labels


@pytest.fixture(scope="module")
def table() -> VerdictTable:
    probabilities, labels = draw(16000, 0)
    return fit_verdicts(dict.fromkeys(PATTERNS, probabilities), labels, alpha=0.1)


def test_a_low_threshold_leaves_the_p_value_at_most_alpha() -> None:
    # 19 scores, alpha 0.1: floor(0.1 * 20) = 2; below the 2nd smallest lies one, (1 + 1) / 20 = 0.1.
    assert lower_threshold(np.arange(1.0, 20.0), 0.1) == 2.0
    assert lower_threshold(np.arange(8.0), 0.1) == NEVER


def test_of_those_who_have_it_one_in_ten_is_ruled_out_and_of_the_others_one_in_ten_ruled_in(
    table: VerdictTable,
) -> None:
    probabilities, labels = draw(20000, 1)
    verdicts = np.array([table.verdicts(row, PATTERN) for row in probabilities])
    for k in range(CLASSES):
        # Standard deviations: 0.006 of the test cases, 0.007 of the calibration.
        assert (verdicts[labels == k, k] == "ruled out").mean() == pytest.approx(0.1, abs=0.03)
        assert (verdicts[labels != k, k] == "ruled in").mean() == pytest.approx(0.1, abs=0.02)


def test_one_who_fits_neither_is_uncertain() -> None:
    shape = (len(PATTERNS), CLASSES)
    both = VerdictTable(
        0.1, np.full(shape, 0.6), np.full(shape, 0.4), 0.05, 0.9, np.full(shape, NEVER), np.zeros(shape, np.int64)
    )
    assert set(both.verdicts(np.full(CLASSES, 0.5), PATTERN)) == {"uncertain"}


def test_the_controlled_threshold_is_that_of_the_exact_binomial() -> None:
    # 100 cases at a miss rate of 5 %: P(Bin(100, 0.05) <= 1) = 0.95^100 + 100 * 0.05 * 0.95^99 = 0.0371,
    # and P(<= 2) = 0.1183 > 0.1. So one miss is allowed: the threshold is the second smallest score.
    assert controlled_threshold(np.arange(100.0), 0.05, 0.9) == 1.0


def test_too_few_cases_control_nothing() -> None:
    # 0.95^44 = 0.105 > 0.1, 0.95^45 = 0.0994.
    assert controlled_threshold(np.arange(44.0), 0.05, 0.9) == NEVER
    assert controlled_threshold(np.arange(45.0), 0.05, 0.9) == 0.0


def test_the_miss_rate_stays_below_its_limit_in_nine_of_ten_calibrations() -> None:
    rng = np.random.default_rng(0)
    # With uniform scores the true miss rate of a threshold is the threshold itself.
    rates = np.array([controlled_threshold(rng.random(400), 0.05, 0.9) for _ in range(1000)])
    assert 0.005 < (rates > 0.05).mean() < 0.13


def test_critical_diagnoses_are_ruled_out_at_the_controlled_rate(table: VerdictTable) -> None:
    probabilities, labels = draw(20000, 2)
    listed = [table.safely_ruled_out(row, PATTERN) for row in probabilities]
    for k in CRITICAL:
        missed = np.mean([k in found for found, label in zip(listed, labels, strict=True) if label == k])
        assert 0.0 < missed < 0.06
    assert {k for found in listed for k in found} == set(CRITICAL)


def test_verdicts_survive_json(table: VerdictTable) -> None:
    again = VerdictTable.from_json(table.to_json())
    row = draw(1, 3)[0][0]
    assert again.verdicts(row, PATTERN) == table.verdicts(row, PATTERN)
    assert again.safely_ruled_out(row, PATTERN) == table.safely_ruled_out(row, PATTERN)
