"""Where a patient began: what attributions of vital signs, and the windows they are shown as, are measured from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EARLY_H = 12.0
"""The beginning of a series. One that is not twice as long has no beginning to compare the rest with."""
USUAL = 1.0
"""Deviations from the mean of the training cases: who is already ill when the series begins is no measure of health."""

Array = NDArray[np.float64]


def resting_levels(levels: Array, times_h: Array, variables: NDArray[np.int64]) -> Array:
    """What each reading would have been, had its sign stayed where it began, [readings].

    The median of the first `EARLY_H` hours of its sign, as far as that is usual; where the series is short, the mean of
    the training cases, which is 0.

    Args:
        levels: standardised values [readings].
        times_h: hours before the case time, <= 0.
        variables: index of the sign of each.
    """
    resting = np.zeros(len(levels))
    for variable in np.unique(variables):
        own = variables == variable
        since = times_h[own] - times_h[own].min()
        if since.max() >= 2 * EARLY_H:
            resting[own] = np.clip(np.median(levels[own][since <= EARLY_H]), -USUAL, USUAL)
    return resting
