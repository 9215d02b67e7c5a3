from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from services.diagnosis.evaluation.metrics.coverage import beyond, exact_interval, family_level, summarise_coverage


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (8, 10), (10, 10), (450, 500)])
def test_the_exact_interval_is_that_of_scipy(hits: int, n: int) -> None:
    reference = binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert exact_interval(hits, n) == pytest.approx((reference.low, reference.high))


def test_the_level_of_a_family_of_intervals_multiplies_to_the_whole() -> None:
    assert family_level(8) ** 8 == pytest.approx(0.95)
    assert family_level(1) == 0.95


def test_distance_beyond_an_interval() -> None:
    assert beyond((0.91, 0.95), 0.9) == pytest.approx(0.01)
    assert beyond((0.80, 0.87), 0.9) == pytest.approx(0.03)
    assert beyond((0.85, 0.95), 0.9) == 0.0


def a_case(covered_0: int, covered_1: int) -> tuple[np.ndarray, np.ndarray]:
    """100 cases of each of two classes; a covered case has the set {truth}, an uncovered one the other label."""
    labels = np.repeat((0, 1), 100)
    hit = np.concatenate([np.arange(100) < covered_0, np.arange(100) < covered_1])
    sets = np.zeros((200, 2), np.bool_)
    sets[np.arange(200), np.where(hit, labels, 1 - labels)] = True
    return sets, labels


def test_cells_gaps_and_sizes_by_hand() -> None:
    summary = summarise_coverage(*a_case(95, 70), 0.9)
    assert (summary["value"], summary["min_cell"]) == (0.825, 0.70)
    assert summary["max_gap"] == pytest.approx(0.20)
    # Family-wise of two: 0.95^(1/2) each; scipy's exact interval of 70 in 100 at that level ends below 0.9.
    upper = binomtest(70, 100).proportion_ci(0.95**0.5, method="exact").high
    assert summary["max_gap_beyond_interval"] == pytest.approx(0.9 - upper)
    assert (summary["mean_set_size"], summary["singleton_rate"], summary["empty_rate"]) == (1.0, 1.0, 0.0)


def test_covering_too_much_is_a_gap_but_no_shortfall() -> None:
    summary = summarise_coverage(*a_case(100, 100), 0.9)
    assert summary["max_gap"] == pytest.approx(0.1)
    assert summary["max_gap_beyond_interval"] > 0
    assert summary["max_shortfall"] == 0.0


def test_what_chance_explains_is_no_gap_beyond_the_interval() -> None:
    assert summarise_coverage(*a_case(88, 93), 0.9)["max_gap_beyond_interval"] == 0.0


def test_empty_and_full_sets_are_counted() -> None:
    sets = np.array([[False, False], [True, True], [True, False], [True, False]])
    summary = summarise_coverage(sets, np.array([0, 1, 0, 0]), 0.9)
    assert (summary["empty_rate"], summary["singleton_rate"], summary["mean_set_size"]) == (0.25, 0.5, 1.0)
