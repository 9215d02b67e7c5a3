"""Do Venn-Abers intervals hold what came true, and how wide are they?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import Array, Labels
from services.diagnosis.evaluation.metrics.calibration import BINS
from services.diagnosis.evaluation.metrics.coverage import exact_interval, family_level


def venn_abers_figures(intervals: Mapping[str, Array], pattern: str, labels: Labels) -> dict[str, Any] | None:
    """Figures of one pattern; None where the subject gives no intervals under it.

    Cells are `BINS` stretches of equal mass along the middle of the interval, of every class.

    Args:
        intervals: pattern -> [2, n, classes], NaN where a case was not asked; labels: [n].
    Returns: `n`, `mean_width`, `cells`, and `max_gap_beyond_interval`: the most by which a cell's mean interval lies
        beside the exact family-wise 95 % interval of the share that came true in it; 0: all of them meet.
    """
    if pattern not in intervals:
        return None
    rows = np.flatnonzero(~np.isnan(intervals[pattern]).any(axis=(0, 2)))
    if not len(rows):
        return None
    low, high = intervals[pattern][:, rows]
    classes = low.shape[1]
    bins = min(BINS, len(rows))
    level = family_level(bins * classes)
    gaps = [
        _gap(low[cell, k].mean(), high[cell, k].mean(), labels[rows][cell] == k, level)
        for k in range(classes)
        for cell in np.array_split(np.argsort(low[:, k] + high[:, k], kind="stable"), bins)
    ]
    width = float((high - low).mean())
    return {"n": len(rows), "mean_width": width, "cells": len(gaps), "max_gap_beyond_interval": max(gaps)}


def _gap(low: float, high: float, came: Array, level: float) -> float:
    least, most = exact_interval(int(came.sum()), len(came), level=level)
    return max(0.0, least - high, low - most)
