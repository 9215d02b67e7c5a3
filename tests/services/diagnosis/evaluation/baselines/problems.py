"""Simulated problems whose answer is known by construction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.baselines.baseline import Shape
from services.diagnosis.evaluation.baselines.features import Array, Examples, Features
from services.diagnosis.evaluation.baselines.learned import Budget
from services.diagnosis.evaluation.baselines.network import Setting

DIM = 6
QUICK = Budget(epochs=25, members=2, grid=(Setting(16, 1e-2, 0.0), Setting(24, 1e-2, 0.1)))
SHAPE = Shape(modalities=3, dim=DIM, tokens=0, classes=2)


def examples(pooled: Array, labels: NDArray[Any], *, offset: float = 0.0) -> Examples:
    """All three modalities there; `offset` moves every entry away from zero."""
    features = Features(
        (pooled + offset).astype(np.float32), None, np.ones(pooled.shape[:2], np.bool_), ("image", "note", "vitals")
    )
    return Examples(features, labels.astype(np.int64), 2)


def noise(n: int, rng: np.random.Generator) -> Array:
    return rng.normal(size=(n, 3, DIM))


def unique(n: int, seed: int) -> Examples:
    """The image alone knows: log-odds 3 x, x ~ N(0, 1)."""
    rng = np.random.default_rng(seed)
    pooled = noise(n, rng)
    return examples(pooled, rng.random(n) < 1 / (1 + np.exp(-3 * pooled[:, 0, 0])))


def redundant(n: int, seed: int, *, offset: float = 0.0) -> Examples:
    """Every modality knows the class alike: entry 0 ~ N(+-1, 1)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    pooled = noise(n, rng)
    pooled[:, :, 0] += (2 * labels - 1)[:, None]
    return examples(pooled, labels, offset=offset)


def synergy(n: int, seed: int) -> Examples:
    """Image and note hold one bit each, the class is their exclusive or: neither bit alone says anything."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (n, 2))
    pooled = noise(n, rng) * 0.5
    pooled[:, :2, 0] += 2 * (2 * bits - 1)
    return examples(pooled, bits[:, 0] ^ bits[:, 1])


def accuracy(probabilities: Array, problem: Examples) -> float:
    return float((probabilities.argmax(axis=1) == problem.labels).mean())
