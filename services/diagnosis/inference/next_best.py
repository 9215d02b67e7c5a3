"""What to ask for next: by how much the entropy of the answer would fall, were an absent modality at hand.

For a set S of modalities and one m outside it, E[H(p_S) - H(p_S+m) | p_S] is a ridge regression on the entropy of p_S,
its square and p_S itself, fitted where both are known: calibration cases that are replayed under every pattern. The
answer tells what to expect before looking, and nothing of which diagnosis the new evidence would favour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.modalities import MODALITIES

Array = NDArray[np.float64]
WITHIN = (0.1, 0.9)
"""Four of five realised drops lie between these quantiles of the residual, added to what is expected."""


@dataclass(frozen=True)
class Regression:
    """Expected drop of one (pattern, absent modality)."""

    weights: Array
    """[2 + classes]: of the features, see `features_of`."""
    intercept: float
    spread: tuple[float, float]
    """Quantiles WITHIN of realised minus expected."""
    n: int


@dataclass(frozen=True)
class Drop:
    """Nats by which the entropy is expected to fall; negative: the answer may become less certain."""

    modality: str
    expected: float
    interval: tuple[float, float]
    """Holds the realised drop in four of five cases."""


@dataclass(frozen=True)
class EntropyDrops:
    """Regressions by pattern and absent modality."""

    regressions: Mapping[str, Mapping[str, Regression]]

    def expect(self, probabilities: Array, pattern: str) -> tuple[Drop, ...]:
        """Every modality outside the pattern, the largest expected drop first; none where nothing was fitted.

        Args:
            probabilities: [classes], calibrated, under the pattern.
        """
        features = features_of(probabilities[None])[0]
        drops = []
        for modality, own in self.regressions.get(pattern, {}).items():
            expected = own.intercept + float(features @ own.weights)
            drops.append(Drop(modality, expected, (expected + own.spread[0], expected + own.spread[1])))
        return tuple(sorted(drops, key=lambda drop: -drop.expected))

    def to_json(self) -> dict[str, Any]:
        return {
            pattern: {
                modality: {
                    "weights": own.weights.tolist(), "intercept": own.intercept, "spread": list(own.spread), "n": own.n,
                }
                for modality, own in absent.items()
            }
            for pattern, absent in self.regressions.items()
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EntropyDrops:
        """Raises: KeyError: a regression that lacks a part."""
        return cls(
            {
                pattern: {modality: _regression(own) for modality, own in absent.items()}
                for pattern, absent in value.items()
            }
        )


def absent_from(pattern: str) -> tuple[str, ...]:
    """The modalities that a pattern lacks."""
    return tuple(name for name in MODALITIES if name not in pattern.split("+"))


def entropies(probabilities: Array) -> Array:
    """[n, classes] -> [n], in nats."""
    clipped = np.clip(probabilities, 1e-12, 1.0)
    return np.asarray(-(clipped * np.log(clipped)).sum(-1))


def features_of(probabilities: Array) -> Array:
    """[n, 2 + classes]: the entropy, its square, and the probabilities."""
    entropy = entropies(probabilities)
    return np.column_stack([entropy, entropy**2, probabilities])


def _regression(value: Mapping[str, Any]) -> Regression:
    low, high = value["spread"]
    weights = np.array(value["weights"], np.float64)
    return Regression(weights, float(value["intercept"]), (float(low), float(high)), int(value["n"]))
