from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from services.diagnosis.inference.conformal import ConformalTable, fit_conformal
from services.diagnosis.model.modalities import PATTERNS

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Labels = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def draw(n: int, seed: int, classes: int = 4) -> tuple[dict[str, Array], Labels]:
    """Probabilities of a model that is overconfident, so that only the conformal step can make the coverage right."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), labels] += 1.0
    weights = np.exp(3 * logits)
    probabilities = weights / weights.sum(1, keepdims=True)
    return dict.fromkeys(PATTERNS, probabilities), labels


def covered(table: ConformalTable, probabilities: Array, labels: Labels) -> Array:
    return np.array([y in table.predict(p, "image")[0] for p, y in zip(probabilities, labels, strict=True)], np.float64)


def test_every_class_is_covered_as_promised() -> None:
    table = fit_conformal(*draw(4000, 0), coverage=0.9)
    probabilities, labels = draw(20000, 1)
    hits = covered(table, probabilities["image"], labels)
    for k in range(4):
        own = hits[labels == k]
        # A thousand calibration cases per class leave the coverage itself a standard deviation of 0.01.
        assert own.mean() > 0.9 - 0.03 - 3 * binom(len(own), 0.9).std() / len(own)


def test_the_threshold_is_the_ranked_probability() -> None:
    # 19 true probabilities 0.05, 0.10, … 0.95 and coverage 0.9: rank ceil(20 * 0.9) = 18 of the nonconformities,
    # so the 18th largest probability, 0.10.
    probabilities = np.linspace(0.05, 0.95, 19)[:, None]
    table = fit_conformal(dict.fromkeys(PATTERNS, probabilities), np.zeros(19, np.int64), coverage=0.9)
    assert table.thresholds[0, 0] == pytest.approx(0.10)


def test_rare_classes_fall_back_and_the_guarantee_says_so() -> None:
    probabilities, labels = draw(500, 0)
    labels = np.where((labels == 3) & (np.arange(500) > 60), 0, labels)
    table = fit_conformal(probabilities, labels, coverage=0.9)
    assert table.predict(probabilities["image"][0], "image")[1] == "pattern"


def test_with_large_cells_the_guarantee_is_per_pattern_and_class() -> None:
    probabilities, labels = draw(2000, 0)
    table = fit_conformal(probabilities, labels, coverage=0.9)
    assert table.predict(probabilities["image"][0], "image")[1] == "pattern x class"


def test_too_few_cases_promise_nothing() -> None:
    one = dict.fromkeys(PATTERNS, np.array([[0.7, 0.3]]))
    table = fit_conformal(one, np.array([0]), coverage=0.9)
    assert table.predict(np.array([0.7, 0.3]), "image") == ([0, 1], "none: too few calibration cases")


def test_the_most_probable_label_is_always_in() -> None:
    shape = (len(PATTERNS), 3)
    table = ConformalTable(0.9, np.full(shape, 0.99), np.zeros(shape, np.int64), np.full(shape, 500))
    assert table.predict(np.array([0.2, 0.5, 0.3]), "note")[0] == [1]


def test_a_table_survives_json() -> None:
    table = fit_conformal(*draw(200, 0), coverage=0.9)
    again = ConformalTable.from_json(table.to_json())
    np.testing.assert_array_equal(again.thresholds, table.thresholds)
