"""Is this modality like what its encoder was trained on? Input rules first, then a conformal p-value of a distance.

Three looks at the encoder's pooled features beside plain statistics of the input (a small network may map a strange
input to a familiar place, and the plain statistics then give it away): the Mahalanobis distance (arXiv 1807.03888) with
a shrunk covariance; the distance to the nearest training inputs (arXiv 2204.06507); and how far the plain statistic
that is most out of range lies. Each is measured in the spread it has in training, and the largest counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
REJECT_BELOW = 0.01
"""p-values below this reject the modality; so one in-distribution input in a hundred is rejected, by design."""
NEIGHBOURS, KEPT = 5, 300
LOOKS = ("distance", "neighbours", "extreme")
_STORED = ("mean", "scale", "precision", "neighbours", "ranges", "spread", "distances")
_MOST = 8.0
"""Deviations beyond which the distances between inputs grow no more; the extremes do."""


@dataclass(frozen=True)
class OodReference:
    """Statistics of one modality's features; a feature may be NaN where an input is too small to have it.

    Args:
        mean, scale: [features]; features are standardised first, NaN becoming 0.
        precision: [features, features], of the standardised features.
        neighbours: [kept, features], standardised training inputs.
        ranges: [3, features]: centre, and how far the 0.5 % and 99.5 % quantiles lie below and above; infinite for the
            features of the encoder, which have no range of their own.
        spread: [2, looks]: median, and how far the 99 % quantile lies above, of each look at calibration inputs.
        distances: ascending combined distances of calibration inputs that the fit has not seen.
    """

    mean: Array
    scale: Array
    precision: Array
    neighbours: Array
    ranges: Array
    spread: Array
    distances: Array

    def looks(self, features: Array) -> Array:
        """[3]: each of LOOKS at one input, in its own unit."""
        standard = self._standardise(features)
        root = float(np.sqrt(standard @ self.precision @ standard))
        apart = np.sqrt(((self.neighbours - np.clip(standard, -_MOST, _MOST)) ** 2).mean(1))
        near = float(np.sort(apart)[:NEIGHBOURS].mean())
        return np.array([root, near, float(self.excess(features).max())])

    def distance(self, features: Array) -> float:
        """The largest of the looks, each above its median in units of its spread: 1 is the 99 % quantile."""
        return float(((self.looks(features) - self.spread[0]) / self.spread[1]).max())

    def excess(self, features: Array) -> Array:
        """[features]: how far each lies from its centre, 1 being the end of its range; 0 for those without."""
        centre, below, above = self.ranges
        offset = np.nan_to_num(features - centre)
        return np.asarray(np.where(offset < 0, -offset / below, offset / above))

    def most_extreme(self, features: Array) -> int | None:
        """Which feature is farthest out of its range, where that is farther than in 99 % of familiar inputs."""
        excess, place = self.excess(features), LOOKS.index("extreme")
        beyond = (float(excess.max()) - self.spread[0, place]) / self.spread[1, place]
        return int(excess.argmax()) if beyond > 1 else None

    def p_value(self, features: Array) -> float:
        """(1 + how many calibration inputs lie as far or farther) / (n + 1)."""
        farther = len(self.distances) - int(np.searchsorted(self.distances, self.distance(features), side="left"))
        return (1 + farther) / (len(self.distances) + 1)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Single precision, half for the neighbours: well under a megabyte for all modalities."""
        kinds = {"neighbours": np.float16}
        return {name: np.ascontiguousarray(getattr(self, name), kinds.get(name, np.float32)) for name in _STORED}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> OodReference:
        return cls(*(arrays[name].astype(np.float64) for name in _STORED))

    def _standardise(self, features: Array) -> Array:
        return np.nan_to_num((features - self.mean) / self.scale)


def fit_ood(train: Array, calibration: Array, *, encoded: int = 0) -> OodReference:
    """Fit on training features [n, features], then measure the calibration features from there.

    Args:
        encoded: how many of the leading features come from the encoder.
    """
    from sklearn.covariance import ledoit_wolf

    known = np.isfinite(train).sum(0) > 1
    filled = np.where(known & np.isfinite(train), train, np.nan)
    mean = np.where(known, _over(np.nanmean, filled, known), 0.0)
    scale = np.where(known, _over(np.nanstd, filled, known), 1.0) + 1e-6
    standard = np.nan_to_num((filled - mean) / scale)
    covariance, _ = ledoit_wolf(standard)
    kept = np.linspace(0, len(train) - 1, min(KEPT, len(train))).astype(np.int64)
    # The bundle stores rounded values: the distances must come from what is stored.
    reference = OodReference(
        _as_stored(mean),
        _as_stored(scale),
        _as_stored(np.linalg.inv(covariance)),
        np.clip(standard[kept], -_MOST, _MOST).astype(np.float16).astype(np.float64),
        _as_stored(_ranges(filled, known, encoded)),
        np.stack([np.zeros(len(LOOKS)), np.ones(len(LOOKS))]),
        np.zeros(0),
    )
    looks = np.stack([reference.looks(row) for row in calibration])
    middle, high = np.quantile(looks, (0.5, 0.99), axis=0)
    reference = replace(reference, spread=_as_stored(np.stack([middle, np.maximum(high - middle, 1e-6)])))
    distances = ((looks - reference.spread[0]) / reference.spread[1]).max(1)
    return replace(reference, distances=_as_stored(np.sort(distances)))


def _over(statistic: object, values: Array, known: NDArray[np.bool_]) -> Array:
    """The statistic of the columns that have values, zero for the others."""
    out = np.zeros(values.shape[1])
    out[known] = statistic(values[:, known], axis=0)  # type: ignore[operator]
    return out


def _ranges(values: Array, known: NDArray[np.bool_], encoded: int) -> Array:
    """Centre and reach below and above; at least a fifth of a deviation, so that what never varies is not infinite."""
    ranges = np.full((3, values.shape[1]), np.inf)
    ranges[0] = 0.0
    low, centre, high = np.nanquantile(values[:, known], (0.005, 0.5, 0.995), axis=0)
    floor = 0.2 * np.nanstd(values[:, known], axis=0) + 1e-2
    ranges[:, known] = centre, np.maximum(centre - low, floor), np.maximum(high - centre, floor)
    ranges[1:, :encoded] = np.inf
    return ranges


def _as_stored(values: Array) -> Array:
    return np.asarray(values, np.float32).astype(np.float64)
