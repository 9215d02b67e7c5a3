"""How vital signs move in time: what betrays wrong units, wrong clocks and dead sensors, whatever the level is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.preprocessing.vitals import CODES, Readings, VitalsScale, transform

FEWEST = 4
"""Readings of a variable below which its rhythm is unknown."""
KINDS = ("lowest", "highest", "interval", "change", "speed", "repeats")
_TINY = 1e-3
_MINUTE_H = 1 / 60


def rhythm_statistics(readings: Readings, scale: VitalsScale) -> NDArray[np.float64]:
    """[kinds * variables + 1]: per kind and variable, then the log of the hours between first and last reading.

    Of each variable: 5 % and 95 % quantile, standardised; log of the median interval in hours; log of the mean absolute
    change between neighbours, and of the median change per hour, in deviations; share of neighbours of the same value.
    NaN where there are fewer than four readings.
    """
    mean, deviation = np.array(scale.mean), np.array(scale.deviation)
    out = np.full((len(KINDS), len(CODES)), np.nan)
    values = transform(readings.values, readings.variables)
    for variable in np.unique(readings.variables):
        own = readings.variables == variable
        if own.sum() >= FEWEST:
            standard = (values[own] - mean[variable]) / deviation[variable]
            out[:, variable] = _rhythm(standard, readings.times_h[own])
    span = np.log(max(float(np.ptp(readings.times_h)), _MINUTE_H))
    return np.append(out.ravel(), span)


def _rhythm(values: NDArray[np.float64], times_h: NDArray[np.float64]) -> tuple[float, ...]:
    change, gap_h = np.abs(np.diff(values)), np.maximum(np.diff(times_h), _MINUTE_H)
    low, high = np.quantile(values, (0.05, 0.95))
    return (
        float(low),
        float(high),
        float(np.log(np.median(gap_h))),
        float(np.log(change.mean() + _TINY)),
        float(np.log(np.median(change / gap_h) + _TINY)),
        float((change == 0).mean()),
    )
