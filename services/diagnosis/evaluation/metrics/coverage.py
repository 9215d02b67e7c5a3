"""Do prediction sets hold the truth as often as promised: overall, and in every cell of pattern and class."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import LEVEL, Array, Labels, Mask, number
from services.diagnosis.evaluation.metrics.discrimination import weighted_mean


def exact_interval(hits: int, n: int, *, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a proportion (Clopper & Pearson 1934); (0, 1) of nothing."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(hits, n - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
    return low, high


def family_level(cells: int, level: float = LEVEL) -> float:
    """The level of each of so many intervals for all to hold together (Šidák 1967): level^(1/cells)."""
    return float(level ** (1 / max(1, cells)))


def beyond(interval: tuple[float, float], target: float) -> float:
    """How far the nearest end of an interval lies from the target; 0 where the interval holds it."""
    return max(0.0, interval[0] - target, target - interval[1])


def held(sets: Mask, labels: Labels) -> Mask:
    """[n]: is the true class in the set [n, classes]."""
    return np.asarray(sets[np.arange(len(labels)), labels])


def set_figures(sets: Mask, labels: Labels, weights: Array) -> dict[str, Array]:
    """Coverage, mean size, and shares of sets with one label and with none, [resamples] each; coverage per class."""
    sizes, inside = sets.sum(1), held(sets, labels).astype(np.float64)
    cells = [weighted_mean(inside[labels == k], weights[:, labels == k]) for k in range(sets.shape[1])]
    return {
        "coverage": weighted_mean(inside, weights),
        "mean_set_size": weighted_mean(sizes.astype(np.float64), weights),
        "singleton_rate": weighted_mean((sizes == 1).astype(np.float64), weights),
        "empty_rate": weighted_mean((sizes == 0).astype(np.float64), weights),
        "class_coverage": np.stack(cells, axis=1),
    }


def cell_coverage(sets: Mask, labels: Labels) -> dict[int, dict[str, float]]:
    """Per true class that occurs: `{value, low, high}` with its own exact 95 % interval, and its family-wise ends.

    `family_low` and `family_high` hold together for all classes of the pattern (Šidák).
    """
    inside = held(sets, labels)
    occurring = [int(k) for k in np.unique(labels)]
    level = family_level(len(occurring))
    cells = {}
    for k in occurring:
        hits, n = int(inside[labels == k].sum()), int((labels == k).sum())
        alone, together = exact_interval(hits, n), exact_interval(hits, n, level=level)
        cells[k] = {
            "value": hits / n,
            "low": alone[0],
            "high": alone[1],
            "family_low": together[0],
            "family_high": together[1],
        }
    return cells


def summarise_coverage(sets: Mask, labels: Labels, target: float) -> dict[str, Any]:
    """`{target, value, low, high, min_cell, max_gap, max_gap_beyond_interval, …}` of the sets of one pattern.

    A cell is a true class. `max_gap` is the largest |coverage of a cell - target|, `max_shortfall` counts only what is
    covered too rarely; `…_beyond_interval` is how far the nearest end of a cell's family-wise exact interval lies from
    the target: what chance does not explain. Intervals treat cases as independent (one case per patient).
    """
    inside, cells = held(sets, labels), cell_coverage(sets, labels)
    low, high = exact_interval(int(inside.sum()), len(inside))
    gaps = [abs(cell["value"] - target) for cell in cells.values()]
    short = [max(0.0, target - cell["value"]) for cell in cells.values()]
    return {
        "target": target,
        "value": float(inside.mean()),
        "low": low,
        "high": high,
        "cells": len(cells),
        "min_cell": min(cell["value"] for cell in cells.values()),
        "max_gap": max(gaps),
        "max_gap_beyond_interval": max(
            beyond((cell["family_low"], cell["family_high"]), target) for cell in cells.values()
        ),
        "max_shortfall": max(short),
        "max_shortfall_beyond_interval": max(max(0.0, target - cell["family_high"]) for cell in cells.values()),
        **{
            name: number(value[0])
            for name, value in set_figures(sets, labels, np.ones((1, len(labels)))).items()
            if name in ("mean_set_size", "singleton_rate", "empty_rate")
        },
    }
