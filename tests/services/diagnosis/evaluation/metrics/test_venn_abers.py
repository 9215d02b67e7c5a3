from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.venn_abers import venn_abers_figures

PATTERN = "image"


def draw(n: int = 6000) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """True probabilities [n, 2] and labels drawn from them."""
    rng = np.random.default_rng(2)
    p = rng.uniform(0.02, 0.98, n)
    return np.stack([1 - p, p], 1), (rng.random(n) < p).astype(np.int64)


def test_intervals_around_the_truth_meet_what_came() -> None:
    truth, labels = draw()
    found = venn_abers_figures({PATTERN: np.stack([truth - 0.01, truth + 0.01])}, PATTERN, labels)
    assert found is not None
    assert (found["n"], found["cells"], found["max_gap_beyond_interval"]) == (6000, 30, 0)
    assert abs(found["mean_width"] - 0.02) < 1e-9


def test_intervals_beside_the_truth_are_found_out() -> None:
    truth, labels = draw()
    beside = np.clip(truth + 0.15, 0, 1)
    found = venn_abers_figures({PATTERN: np.stack([beside, beside])}, PATTERN, labels)
    assert found is not None
    assert found["max_gap_beyond_interval"] > 0.05


def test_cases_that_were_not_asked_do_not_count() -> None:
    truth, labels = draw()
    ends = np.stack([truth, truth])
    ends[:, ::2] = np.nan
    found = venn_abers_figures({PATTERN: ends}, PATTERN, labels)
    assert found is not None
    assert found["n"] == 3000
    assert venn_abers_figures({PATTERN: ends}, "note", labels) is None
    assert venn_abers_figures({PATTERN: np.full_like(ends, np.nan)}, PATTERN, labels) is None
