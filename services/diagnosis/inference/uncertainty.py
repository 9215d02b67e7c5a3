"""How sure: entropies of the ensemble, and intervals of its probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.inference.prediction import Interval, Uncertainty
from services.diagnosis.model.modalities import PATTERNS

Array = NDArray[np.float64]
_TINY = 1e-6


def decompose(members: Array) -> Uncertainty:
    """Entropy of the mean, mean of the entropies, and their difference, in nats (arXiv 1710.07283).

    Args:
        members: [members, classes], rows sum to 1.
    """
    total = float(_entropy(members.mean(0)))
    aleatoric = float(_entropy(members).mean())
    return Uncertainty(total, aleatoric, max(0.0, total - aleatoric))


def epistemic(members: Array) -> Array:
    """The epistemic part alone, for many cases: [members, n, classes] -> [n], in nats."""
    return np.asarray(np.maximum(_entropy(members.mean(0)) - _entropy(members).mean(0), 0.0))


def _entropy(probabilities: Array) -> Array:
    """[..., classes] -> [...]; 0 log 0 = 0."""
    return np.asarray(-(probabilities * np.log(np.where(probabilities > 0, probabilities, 1.0))).sum(-1))


def logit(probabilities: Array) -> Array:
    """Log-odds, finite for 0 and 1."""
    clipped = np.clip(probabilities, _TINY, 1 - _TINY)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def spread(members: Array) -> Array:
    """Standard deviation over the members, on the log-odds scale; any trailing shape."""
    return np.asarray(logit(members).std(0, ddof=1))


@dataclass(frozen=True)
class IntervalScale:
    """Half-width = multiplier_S * (spread + floor_S), in log-odds, per pattern.

    The multiplier is the 90 % quantile of |log-odds error| / (spread + floor) on the calibration split, whose true
    posterior the ward knows; hence a 90 % interval for the probability itself, marginally over cases and classes.
    """

    multipliers: Mapping[str, float]
    floors: Mapping[str, float]

    def interval(self, members: Array, pattern: str) -> Interval:
        """The interval of one probability given by its members [members]."""
        mean = float(members.mean())
        centre = float(logit(np.array([mean]))[0])
        half = self.multipliers[pattern] * (float(spread(members[:, None])[0]) + self.floors[pattern])
        # Log-odds are clipped: a probability beyond them would lie beside its own interval.
        return min(_sigmoid(centre - half), mean), max(_sigmoid(centre + half), mean)

    def to_json(self) -> dict[str, Any]:
        return {pattern: [self.multipliers[pattern], self.floors[pattern]] for pattern in PATTERNS}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> IntervalScale:
        return cls({p: float(value[p][0]) for p in PATTERNS}, {p: float(value[p][1]) for p in PATTERNS})


def fit_intervals(
    members: Mapping[str, Array], posteriors: Mapping[str, Array], *, coverage: float = 0.9
) -> IntervalScale:
    """Fit per pattern from member probabilities [members, n, classes] and the known posteriors [n, classes]."""
    multipliers, floors = {}, {}
    for pattern in PATTERNS:
        wide = spread(members[pattern])  # [n, classes]
        floors[pattern] = float(np.median(wide))
        error = np.abs(logit(members[pattern].mean(0)) - logit(np.clip(posteriors[pattern], 1e-4, 1 - 1e-4)))
        multipliers[pattern] = float(np.quantile(error / (wide + floors[pattern]), coverage))
    return IntervalScale(multipliers, floors)


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))
