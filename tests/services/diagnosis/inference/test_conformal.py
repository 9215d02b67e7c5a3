from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from services.diagnosis.inference.conformal import (
    RUNGS,
    ConformalTable,
    fit_conformal,
    least_ambiguous,
    regularised_adaptive,
)
from services.diagnosis.model.modalities import PATTERNS

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Labels = np.ndarray[tuple[int, ...], np.dtype[np.int64]]
PATTERN = PATTERNS[0]


def draw(n: int, seed: int, classes: int = 4, strength: float = 1.0) -> tuple[dict[str, Array], Labels]:
    """Probabilities of a model that is overconfident, so that only the conformal step can make the coverage right."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), labels] += strength
    weights = np.exp(3 * logits)
    probabilities = weights / weights.sum(1, keepdims=True)
    return dict.fromkeys(PATTERNS, probabilities), labels


def coverage_per_class(table: ConformalTable, probabilities: Array, labels: Labels) -> list[float]:
    inside = table.contains(probabilities, PATTERN)[np.arange(len(labels)), labels]
    return [float(inside[labels == k].mean()) for k in range(4)]


def test_every_class_is_covered_as_promised_and_hardly_more() -> None:
    table = fit_conformal(*draw(8000, 0), coverage=0.9)
    probabilities, labels = draw(40000, 1)
    # Two thousand calibration cases per class leave the coverage itself a standard deviation of 0.007.
    error = 3 * math.hypot(0.007, binom(10000, 0.9).std() / 10000)
    assert all(abs(value - 0.9) < error for value in coverage_per_class(table, probabilities[PATTERN], labels))


def test_a_class_that_is_nearly_always_most_probable_is_covered_more() -> None:
    table = fit_conformal(*draw(4000, 0, strength=5.0), coverage=0.9)
    probabilities, labels = draw(4000, 1, strength=5.0)
    recall = [(probabilities[PATTERN].argmax(1) == k)[labels == k].mean() for k in range(4)]
    assert min(recall) > 0.95
    assert coverage_per_class(table, probabilities[PATTERN], labels) == pytest.approx(recall)


def test_the_threshold_is_the_ranked_nonconformity() -> None:
    # Label 0 with p = 0.02, 0.04, … 0.38 against 1 - p: 19 nonconformities 0.62 … 0.98, rank ceil(20 * 0.9) = 18.
    own = np.linspace(0.02, 0.38, 19)
    probabilities = np.stack([own, 1 - own], axis=1)
    table = fit_conformal(dict.fromkeys(PATTERNS, probabilities), np.zeros(19, np.int64), coverage=0.9)
    rung, expected = RUNGS.index("pattern"), {"least ambiguous": 1 - 0.04, "RAPS": 1 - 0.04}
    assert table.rungs[0, 0] == rung
    assert table.thresholds[0, 0] == pytest.approx(expected[table.scores[0]])


def test_the_score_of_the_most_probable_label_is_zero() -> None:
    np.testing.assert_allclose(least_ambiguous(np.array([[0.2, 0.5, 0.3]])), [[0.8, 0.0, 0.7]])


def test_raps_adds_up_what_is_more_probable_and_punishes_deep_ranks() -> None:
    # Ranks 1 to 4 of 0.4, 0.3, 0.2, 0.1: mass above 0, 0.4, 0.7, 0.9, and 0.05 for each rank beyond the second.
    scores = regularised_adaptive(np.array([[0.1, 0.4, 0.2, 0.3]]))
    np.testing.assert_allclose(scores, [[0.9 + 0.10, 0.0, 0.7 + 0.05, 0.4]])


def test_rare_classes_lean_on_similar_ones_and_the_guarantee_says_so() -> None:
    probabilities, labels = draw(500, 0)
    labels = np.where((labels == 3) & (np.arange(500) > 60), 0, labels)
    table = fit_conformal(probabilities, labels, coverage=0.9)
    assert 10 <= table.counts[0, 3] < 100
    assert table.predict(probabilities[PATTERN][0], PATTERN)[1] == "pattern x similar classes"


def test_classes_of_a_few_cases_fall_back_to_the_pattern() -> None:
    probabilities, labels = draw(500, 0)
    labels = np.where((labels == 3) & (np.arange(500) > 20), 0, labels)
    table = fit_conformal(probabilities, labels, coverage=0.9)
    assert table.counts[0, 3] < 10
    assert table.predict(probabilities[PATTERN][0], PATTERN)[1] == "pattern"


def test_with_large_cells_the_guarantee_is_per_pattern_and_class() -> None:
    probabilities, labels = draw(2000, 0)
    table = fit_conformal(probabilities, labels, coverage=0.9)
    assert table.predict(probabilities[PATTERN][0], PATTERN)[1] == "pattern x class"


def test_too_few_cases_promise_nothing() -> None:
    one = dict.fromkeys(PATTERNS, np.array([[0.7, 0.3]]))
    table = fit_conformal(one, np.array([0]), coverage=0.9, rows=dict.fromkeys(PATTERNS, np.array([0])))
    guarantees = {table.predict(np.array([0.7, 0.3]), PATTERN)[1]}
    assert guarantees == {"none: too few calibration cases"}
    assert table.predict(np.array([0.7, 0.3]), PATTERN)[0] == [0, 1]


def test_the_most_probable_label_is_always_in() -> None:
    shape = (len(PATTERNS), 3)
    scores = ("least ambiguous",) * len(PATTERNS)
    table = ConformalTable(0.9, np.full(shape, 0.01), np.zeros(shape, np.int64), np.full(shape, 500), scores)
    assert table.predict(np.array([0.2, 0.5, 0.3]), PATTERN)[0] == [1]


def test_a_table_survives_json() -> None:
    table = fit_conformal(*draw(200, 0), coverage=0.9)
    again = ConformalTable.from_json(table.to_json())
    np.testing.assert_array_equal(again.thresholds, table.thresholds)
    assert again.scores == table.scores
