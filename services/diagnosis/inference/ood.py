"""Is this modality like what its encoder was trained on? Input rules first, then a conformal p-value of a distance.

The distance is Mahalanobis (arXiv 1807.03888) with a shrunk covariance, on the encoder's pooled features beside plain
statistics of the input: a small network may map a strange input to a familiar place, and the plain statistics then give
it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
REJECT_BELOW = 0.01
"""p-values below this reject the modality; so one in-distribution input in a hundred is rejected, by design."""


@dataclass(frozen=True)
class OodReference:
    """Statistics of one modality's features.

    Args:
        mean, scale: [features]; features are standardised first.
        precision: [features, features], of the standardised features.
        distances: ascending distances of calibration inputs that the fit has not seen.
    """

    mean: Array
    scale: Array
    precision: Array
    distances: Array

    def distance(self, features: Array) -> float:
        centred = (features - self.mean) / self.scale
        return float(np.sqrt(centred @ self.precision @ centred))

    def p_value(self, features: Array) -> float:
        """(1 + how many calibration inputs lie as far or farther) / (n + 1)."""
        farther = len(self.distances) - int(np.searchsorted(self.distances, self.distance(features), side="left"))
        return (1 + farther) / (len(self.distances) + 1)

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        names = ("mean", "scale", "precision", "distances")
        return {name: np.ascontiguousarray(getattr(self, name), np.float32) for name in names}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]]) -> OodReference:
        names = ("mean", "scale", "precision", "distances")
        return cls(*(arrays[name].astype(np.float64) for name in names))


def fit_ood(train: Array, calibration: Array) -> OodReference:
    """Fit on training features [n, features], then measure the calibration features from there."""
    from sklearn.covariance import ledoit_wolf

    mean, scale = train.mean(0), train.std(0) + 1e-6
    covariance, _ = ledoit_wolf((train - mean) / scale)
    # The bundle stores float32: the distances must come from what is stored.
    reference = OodReference(
        _as_stored(mean), _as_stored(scale), _as_stored(np.linalg.inv(covariance)), distances=np.zeros(0)
    )
    distances = np.sort([reference.distance(row) for row in calibration])
    return replace(reference, distances=_as_stored(distances))


def _as_stored(values: Array) -> Array:
    return values.astype(np.float32).astype(np.float64)
