"""Which vital sign, when: reading attributions as windows of each variable, and as profiles over time.

Attributions say which sign counts and in which direction; the network forgets, so they fade towards the past. How long
the sign was changed, its own readings say: a window reaches as far as they stay away from where the patient began.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.inference.attribution.gradients import rescale_to
from services.diagnosis.inference.prediction import VitalsExplanation, VitalsProfile
from services.diagnosis.model.preprocessing.vitals import CODES, WINDOW_H, Readings

Array = NDArray[np.float64]
BIN_H = 2.0
SLOT_H = 6.0
QUIET = 0.1
"""A bin below this share of its variable's strongest adds nothing to the core of a window, where the sign counts."""
STILL = 0.1
"""A bin that is changed by this share of what its window is changed by belongs to it."""
AGAINST = 0.5
"""A bin that says the opposite with this share of the loudest bin does not belong to it."""
SMALLEST = 0.03
"""Windows below this share of the strongest are not shown; what they weigh goes into the residual."""
MAX_WINDOWS = 12
Run = tuple[int, float, float, float]
"""(variable, from hour, to hour, attribution)."""


def explain_vitals(
    readings: Readings, changes: Array, attributions: Array, contribution: float, as_of: datetime
) -> tuple[tuple[VitalsExplanation, ...], float]:
    """Windows from attributions [readings]; they sum to `contribution`. The largest comes first.

    Args:
        changes: standardised distance of each reading from where the patient began, [readings].
    Returns: the windows, and the residual: what was spread over them to make them add up.
    """
    runs = [run for variable in range(len(CODES)) for run in _runs(readings, changes, attributions, variable)]
    strongest = max((abs(run[3]) for run in runs), default=0.0)
    large = [run for run in runs if abs(run[3]) >= SMALLEST * strongest > 0]
    chosen = sorted(large, key=lambda run: -abs(run[3]))[:MAX_WINDOWS]
    own = np.array([run[3] for run in chosen])
    shares = rescale_to(own, contribution) if chosen else own
    windows = tuple(
        VitalsExplanation(CODES[variable], _moment(as_of, start), _moment(as_of, end), float(share))
        for (variable, start, end, _), share in zip(chosen, shares, strict=True)
    )
    return windows, contribution - float(own.sum())


def profile_vitals(readings: Readings, attributions: Array) -> tuple[VitalsProfile, ...]:
    """Attributions [readings] summed over slots of six hours, for each variable that was measured."""
    count = int(WINDOW_H / SLOT_H)
    slots = np.clip(np.floor(readings.times_h / SLOT_H).astype(int) + count, 0, count - 1)
    return tuple(
        VitalsProfile(
            CODES[variable],
            SLOT_H,
            tuple(
                float(v)
                for v in np.bincount(
                    slots[readings.variables == variable], attributions[readings.variables == variable], count
                )
            ),
        )
        for variable in np.unique(readings.variables)
    )


def _runs(readings: Readings, changes: Array, attributions: Array, variable: int) -> Iterator[Run]:
    """At most one window that speaks for and one that speaks against: where each is densest, and as long as it lasts.

    Of all stretches of bins the one with the largest sum of (attribution - quiet level): Bentley's maximum subarray.
    """
    own = readings.variables == variable
    if not own.any():
        return
    times_h, values = readings.times_h[own], attributions[own]
    _, bins = np.unique(np.floor(times_h / BIN_H), return_inverse=True)  # those that hold a reading
    sums, changed = np.bincount(bins, values), np.bincount(bins, changes[own]) / np.bincount(bins)
    free = np.ones(len(sums), np.bool_)
    for sign in sorted((1.0, -1.0), key=lambda sign: -(sign * sums).clip(0).sum()):
        signed = np.where(free, sign * sums, 0.0)
        first, last = _densest(np.where(free, signed - QUIET * signed.max(), 0.0))
        first, last = _lengthened(first, last, signed, changed, free)
        inside = (bins >= first) & (bins < last) & free[bins]
        if inside.any() and sign * values[inside].sum() > 0:
            yield variable, float(times_h[inside].min()), float(times_h[inside].max()), float(values[inside].sum())
        free[first:last] = False


def _lengthened(first: int, last: int, signed: Array, changed: Array, free: NDArray[np.bool_]) -> tuple[int, int]:
    """[first, last) and the bins on either side that are still changed as those inside are, and say nothing else."""
    if last <= first:
        return first, last
    weights = np.maximum(signed[first:last], 0)
    inside = float(np.average(changed[first:last], weights=weights if weights.any() else None))
    loudest = float(np.abs(signed).max())

    def belongs(place: int) -> bool:
        if not (0 <= place < len(free) and free[place]) or signed[place] < -AGAINST * loudest:
            return False
        return bool(changed[place] * inside >= STILL * inside**2 > 0)

    while belongs(first - 1):
        first -= 1
    while belongs(last):
        last += 1
    return first, last


def _densest(values: Array) -> tuple[int, int]:
    """[first, last) of the stretch with the largest sum; empty where nothing is positive."""
    best, total, start, found = 0.0, 0.0, 0, (0, 0)
    for place, value in enumerate(values):
        if total <= 0:
            total, start = 0.0, place
        total += value
        if total > best:
            best, found = total, (start, place + 1)
    return found


def _moment(as_of: datetime, hours: float) -> datetime:
    return as_of + timedelta(hours=round(hours, 4))
