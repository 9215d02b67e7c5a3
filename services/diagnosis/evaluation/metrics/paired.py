"""Is one better than the other: differences on the same cases and the same draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import RESAMPLES, Resamples, bootstrap, difference, estimate_of
from services.diagnosis.evaluation.metrics.figures import headline
from services.diagnosis.evaluation.metrics.view import View, view_of
from services.diagnosis.evaluation.subject import Table

COMPARED = ("macro_auroc", "macro_auprc", "accuracy", "brier", "nll")


def compare(
    first: tuple[Table, str], second: tuple[Table, str], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """First minus second over the cases that both were asked about, with paired 95 % intervals.

    Each is a table with a pattern: two subjects under one pattern, or one subject under two (a fused gain).

    Returns: `{n, macro_auroc, macro_auprc, accuracy, brier, nll}`, each `{value, low, high}`.
    Raises: ValueError: tables of different cases, or no common case.
    """
    (one, pattern), (other, other_pattern) = first, second
    if not (np.array_equal(one.patients, other.patients) and np.array_equal(one.labels, other.labels)):
        raise ValueError("two subjects can be compared on the same cases in the same order only")
    left, right = view_of(one, pattern), view_of(other, other_pattern)
    common = np.intersect1d(left.rows, right.rows) if left and right else np.zeros(0, np.int64)
    if left is None or right is None or not len(common):
        raise ValueError(f"no case was asked under both {pattern!r} and {other_pattern!r}")
    draws = Resamples.draw(one.patients, seed=seed, resamples=resamples)
    figures = [bootstrap(_headline(view, common), draws, common) for view in (left, right)]
    return {
        "n": len(common),
        **{name: estimate_of(difference(figures[0], figures[1], name), name) for name in COMPARED},
    }


def _headline(view: View, common: Any) -> Any:
    chosen = view.restricted(np.searchsorted(view.rows, common))
    return lambda weights: headline(chosen, weights)
