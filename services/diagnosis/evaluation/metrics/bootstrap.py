"""The bootstrap over patients: a resample is how often each patient was drawn, and every figure takes weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Mask = NDArray[np.bool_]
Statistic = Callable[[Array], dict[str, Array]]
"""Weights [resamples, n] -> figure -> [resamples] or [resamples, classes]. NaN where a figure is undefined."""

RESAMPLES = 1000
LEVEL = 0.95
_CHUNK = 1 << 19
"""Elements of a weight matrix worked on at once: 4 MiB, which stays in the cache."""
PLUG_IN = "/plug-in"
"""Suffix of the figure that a debiased one of the same name estimates on resamples (`Bootstrapped.interval`)."""


def once(n: int) -> Array:
    """Weights [1, n] of the sample as it is."""
    return np.ones((1, n))


@dataclass(frozen=True)
class Resamples:
    """Patients drawn with replacement, all cases of a patient together (Davison & Hinkley 1997, section 3.8).

    The same patients, seed and number give the same draws whatever the order of the cases and whoever is judged:
    figures of two subjects, or of two patterns, on the same draws are paired.
    """

    counts: NDArray[np.int16]
    """[resamples, patients]: how often each patient was drawn."""
    patient: NDArray[np.int64]
    """[n]: the patient of each case."""

    @classmethod
    def draw(cls, patients: NDArray[np.str_], *, seed: int, resamples: int = RESAMPLES) -> Resamples:
        """Draw from the distinct patients of [n] pseudonyms."""
        names, patient = np.unique(patients, return_inverse=True)
        rng = np.random.default_rng(seed)
        counts = np.empty((resamples, len(names)), np.int16)
        for row in counts:
            row[:] = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        return cls(counts, patient.astype(np.int64).reshape(-1))

    def chunks(self, rows: NDArray[np.int64]) -> Iterator[Array]:
        """Weights [a few resamples, len(rows)] of those cases, all resamples one after another."""
        step = max(1, _CHUNK // max(1, len(rows)))
        for start in range(0, len(self.counts), step):
            yield self.counts[start : start + step, self.patient[rows]].astype(np.float64)


@dataclass(frozen=True)
class Bootstrapped:
    """Figures of the sample with those of its resamples."""

    values: dict[str, Array]
    """[] or [classes]."""
    samples: dict[str, Array]
    """[resamples] or [resamples, classes]."""

    def interval(self, name: str) -> tuple[Array, Array]:
        """Ends of the 95 % interval, [] or [classes]; NaN where fewer than half of the resamples define the figure.

        Percentiles, unless the figure is debiased and brings its plug-in value. A debiased figure of a resample
        estimates the plug-in figure of the sample, not the debiased one, so its percentiles miss by the bias; there
        the errors made on resamples are subtracted from the value (the basic bootstrap: Davison & Hinkley 1997,
        section 5.2).
        """
        low, high = percentiles(self.samples[name])
        if name + PLUG_IN not in self.values:
            return low, high
        value, centre = self.values[name], self.values[name + PLUG_IN]
        return value - (high - centre), value - (low - centre)


def bootstrap(statistic: Statistic, resamples: Resamples, rows: NDArray[np.int64]) -> Bootstrapped:
    """All figures of the given cases, once as they are and once per resample."""
    values = {name: value[0] for name, value in statistic(once(len(rows))).items()}
    parts = [statistic(weights) for weights in resamples.chunks(rows)]
    return Bootstrapped(values, {name: np.concatenate([part[name] for part in parts]) for name in values})


def difference(first: Bootstrapped, second: Bootstrapped, name: str) -> Bootstrapped:
    """First minus second on the same draws."""
    return Bootstrapped(
        {name: first.values[name] - second.values[name]}, {name: first.samples[name] - second.samples[name]}
    )


def percentiles(samples: Array, level: float = LEVEL) -> tuple[Array, Array]:
    """The central interval over axis 0; NaN where fewer than half of the resamples are defined."""
    tail = (1 - level) / 2
    known = ~np.isnan(samples)
    low, high = np.full(samples.shape[1:], np.nan), np.full(samples.shape[1:], np.nan)
    for place in np.ndindex(samples.shape[1:]):
        column = samples[(slice(None), *place)][known[(slice(None), *place)]]
        if len(column) and len(column) * 2 >= len(samples):
            low[place], high[place] = np.quantile(column, (tail, 1 - tail))
    return low, high


def number(value: float | Array) -> float | None:
    """A JSON number; None where undefined."""
    return float(value) if np.isfinite(value) else None


def estimate(value: float | Array, low: float | Array, high: float | Array) -> dict[str, float | None]:
    """`{value, low, high}` as JSON."""
    return {"value": number(value), "low": number(low), "high": number(high)}


def estimate_of(figures: Bootstrapped, name: str) -> dict[str, float | None]:
    """`{value, low, high}` of one scalar figure."""
    return estimate(figures.values[name], *figures.interval(name))
