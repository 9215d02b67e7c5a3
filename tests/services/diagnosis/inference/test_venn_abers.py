from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from services.diagnosis.inference.venn_abers import LEVELS, VennAbers, fit_venn_abers, levels_of, two_ends
from services.diagnosis.model.modalities import PATTERNS

Array = NDArray[np.float64]
PATTERN = PATTERNS[-1]


def draw(n: int, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """Probabilities told by a model that is far too sure of itself, and what came."""
    truth = rng.normal(-0.5, 1.0, n)
    came = rng.random(n) < 1 / (1 + np.exp(-truth))
    return 1 / (1 + np.exp(-3 * truth - 0.7)), came


@pytest.mark.parametrize("n", [1, 7, 200])
def test_the_ends_are_the_isotonic_regressions_with_the_case_itself_added(n: int) -> None:
    told, came = draw(n, np.random.default_rng(n))
    levels = levels_of(told)
    ends = two_ends(levels, came)
    for level in range(0, LEVELS, 5):
        for label in (0, 1):
            x, y = np.append(levels, level), np.append(came, label).astype(np.float64)
            grid = np.unique(x)
            weights = np.array([(x == place).sum() for place in grid], np.float64)
            means = np.array([y[x == place].mean() for place in grid])
            fitted = isotonic_regression(means, weights=weights).x
            assert ends[label, level] == pytest.approx(fitted[np.searchsorted(grid, level)])


def test_the_end_of_what_came_is_calibrated_however_wrong_the_model() -> None:
    rng = np.random.default_rng(3)
    told_ends, came_at_last = [], []
    for _ in range(3000):
        told, came = draw(61, rng)
        ends = two_ends(levels_of(told[:-1]), came[:-1])
        told_ends.append(ends[int(came[-1]), levels_of(told[-1:])[0]])
        came_at_last.append(came[-1])
    right, happened = np.array(told_ends), np.array(came_at_last, np.float64)
    for part in np.array_split(np.argsort(right), 6):
        error = happened[part].std() / np.sqrt(len(part))
        assert abs(happened[part].mean() - right[part].mean()) < 4 * error + 0.01
    told, came = draw(20000, rng)
    surest = np.argsort(told)[-2000:]
    assert told[surest].mean() - came[surest].mean() > 0.1, "the probabilities by themselves are not"


def test_more_cases_bring_the_ends_together() -> None:
    def width(n: int) -> float:
        rng = np.random.default_rng(5)
        told, came = draw(n, rng)
        table = fit_venn_abers(dict.fromkeys(PATTERNS, np.stack([told, 1 - told], 1)), (~came).astype(np.int64))
        asked, _ = draw(500, rng)
        low, high = table.intervals(asked, PATTERN, 0)
        assert (low <= high).all()
        return float((high - low).mean())

    assert width(50) > 3 * width(2000)


def test_a_pattern_without_cases_has_no_interval_and_arrays_keep_it_all() -> None:
    told, came = draw(300, np.random.default_rng(1))
    probabilities = dict.fromkeys(PATTERNS, np.stack([told, 1 - told], 1))
    rows = dict.fromkeys(PATTERNS, np.arange(300)) | {PATTERNS[0]: np.arange(0)}
    table = fit_venn_abers(probabilities, (~came).astype(np.int64), rows=rows)
    assert table.interval(0.4, PATTERNS[0], 0) is None
    known = table.interval(0.4, PATTERN, 0)
    assert known is not None
    assert 0 <= known[0] < known[1] <= 1
    again = VennAbers.from_arrays(table.to_arrays())
    assert again.interval(0.4, PATTERN, 0) == pytest.approx(known, abs=1e-6)
    assert again.interval(0.4, PATTERNS[0], 0) is None


def test_certainties_have_a_place_on_the_grid() -> None:
    assert levels_of(np.array([0.0, 0.5, 1.0])).tolist() == [0, (LEVELS - 1) // 2, LEVELS - 1]
