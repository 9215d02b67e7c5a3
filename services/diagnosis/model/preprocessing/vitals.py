"""From irregular samples to the readings the vitals encoder expects: nothing is resampled, binned or filled in.

What is said of a reading depends on it and on older ones of its variable, never on the time at which the case is read:
an encoding once made stays right (`model/vitals_stream.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from services.diagnosis.case import VitalsInput
from shared.codes import STEPS, VITAL_SIGNS

CODES = tuple(sign.coding.code for sign in VITAL_SIGNS)
WINDOW_H = 96.0
"""Older readings say nothing of an acute illness and are left out."""
MAX_READINGS = 6000
CENTRAL = (0.03, 0.97)
_STEPS = CODES.index(STEPS.code)
_INDEX = {code: index for index, code in enumerate(CODES)}
_ALIASES = {alias: _INDEX[sign.coding.code] for sign in VITAL_SIGNS for alias in sign.aliases}


@dataclass(frozen=True)
class Readings:
    """n readings that passed the input rules, oldest first."""

    times_h: NDArray[np.float64]
    variables: NDArray[np.int64]
    values: NDArray[np.float64]
    refused: int
    """Readings no living person can show, of an unknown code, or not finite."""
    clock_h: float = 0.0
    """Hour of the day (UTC) at the case time."""

    def clocks_h(self) -> NDArray[np.float64]:
        """[n]: hour of the day (UTC) of each reading."""
        return (self.times_h + self.clock_h) % 24


@dataclass(frozen=True)
class VitalsScale:
    """Mean and deviation per variable over the training cases, of what lies between the quantiles `CENTRAL`.

    A sensor that slips writes 60 % now and then; of all saturations that triples the deviation, and hides what is ill.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def fit(cls, cases: Sequence[Readings]) -> VitalsScale:
        variables = np.concatenate([case.variables for case in cases])
        values = transform(np.concatenate([case.values for case in cases]), variables)
        groups = [_without_tails(values[variables == index]) for index in range(len(CODES))]
        mean = tuple(float(group.mean()) if len(group) else 0.0 for group in groups)
        return cls(mean, tuple(float(group.std()) + 1e-3 if len(group) > 1 else 1.0 for group in groups))

    @classmethod
    def from_json(cls, value: Mapping[str, Sequence[float]]) -> VitalsScale:
        return cls(tuple(value["mean"]), tuple(value["deviation"]))


def _without_tails(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(values):
        return values
    low, high = np.quantile(values, CENTRAL)
    central: NDArray[np.float64] = values[(values >= low) & (values <= high)]
    return central


def select(vitals: VitalsInput, as_of: datetime | None = None) -> Readings:
    """The readings of the last 96 hours that a living person can show.

    Args:
        as_of: the case time; None: midnight.
    """
    variables = np.array([_INDEX.get(code, _ALIASES.get(code, -1)) for code in vitals.codes], np.int64)
    values, times_h = vitals.values.astype(np.float64), vitals.times_h.astype(np.float64)
    low = np.array([sign.low for sign in VITAL_SIGNS])[variables]
    high = np.array([sign.high for sign in VITAL_SIGNS])[variables]
    possible = (variables >= 0) & np.isfinite(values) & (values >= low) & (values <= high)
    kept = np.flatnonzero(possible & (times_h <= 0) & (times_h >= -WINDOW_H))
    order = kept[np.lexsort((values[kept], variables[kept], times_h[kept]))][-MAX_READINGS:]
    clock_h = 0.0 if as_of is None else hour_of_day(as_of)
    return Readings(times_h[order], variables[order], values[order], int((~possible).sum()), clock_h)


def hour_of_day(moment: datetime) -> float:
    """Of an aware moment, in UTC: where the patient is, the case does not say."""
    return float(moment.timestamp() % 86_400 / 3600)


def transform(values: NDArray[np.float64], variables: NDArray[np.int64]) -> NDArray[np.float64]:
    """Step counts on a logarithmic scale, all else as it is."""
    return np.where(variables == _STEPS, np.log1p(np.maximum(values, 0)), values)


def standardise(values: NDArray[np.float64], variables: NDArray[np.int64], scale: VitalsScale) -> NDArray[np.float64]:
    """Values in deviations from the mean of their variable, within ±8."""
    mean, deviation = np.array(scale.mean), np.array(scale.deviation)
    return np.asarray(np.clip((transform(values, variables) - mean[variables]) / deviation[variables], -8, 8))


def reading_features(
    readings: Readings, scale: VitalsScale, dtype: DTypeLike = np.float32
) -> NDArray[np.floating[Any]]:
    """[n, 4]: value, change, log gap, "first of its kind". Samples of one moment in any order give the same."""
    value = standardise(readings.values, readings.variables, scale)
    change, gap_h, first = np.zeros_like(value), np.zeros_like(value), np.ones_like(value)
    for variable in np.unique(readings.variables):
        own = np.flatnonzero(readings.variables == variable)
        moments, which = np.unique(readings.times_h[own], return_inverse=True)
        level = np.bincount(which, value[own]) / np.bincount(which)  # mean of samples of the same moment
        before = which - 1
        late = before >= 0
        change[own[late]] = value[own[late]] - level[before[late]]
        gap_h[own[late]] = moments[which[late]] - moments[before[late]]
        first[own[late]] = 0
    return np.stack([value, change, np.log1p(gap_h), first], axis=1).astype(dtype)


def vitals_statistics(readings: Readings, scale: VitalsScale) -> NDArray[np.float64]:
    """[3 * variables]: mean, spread and log count per variable, standardised; zero where it was not measured."""
    mean, deviation = np.array(scale.mean), np.array(scale.deviation)
    out = np.zeros((3, len(CODES)))
    values = transform(readings.values, readings.variables)
    for variable in np.unique(readings.variables):
        own = (values[readings.variables == variable] - mean[variable]) / deviation[variable]
        out[:, variable] = own.mean(), own.std(), np.log1p(len(own))
    return out.ravel()
