"""What is seen of a patient: which modalities are there at all, and which label is recorded.

Both depend on the diagnosis y and on nothing else, so that their probabilities given y are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.ward.model import MODALITIES, Modality

PATTERNS: tuple[tuple[Modality, ...], ...] = tuple(
    subset for size in range(1, len(MODALITIES) + 1) for subset in combinations(MODALITIES, size)
)
"""The seven non-empty subsets of the modalities."""


@dataclass(frozen=True)
class Missingness:
    """Which modalities a patient lacks: each on its own, given y. If all would be missing, one of them stays."""

    at_random: float = 0.0
    """Probability that a modality is missing, whoever the patient is."""
    by_diagnosis: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Modality -> probability of its absence given y: missing not at random."""

    def absence(self, diagnoses: int) -> NDArray[np.float64]:
        """p(modality is missing | y) before one is kept, [diagnoses, modalities]: either cause is enough."""
        never = (0.0,) * diagnoses
        own = np.array([self.by_diagnosis.get(modality, never) for modality in MODALITIES]).T
        return np.asarray(1 - (1 - self.at_random) * (1 - own))

    def probabilities(self, diagnoses: int) -> dict[tuple[Modality, ...], NDArray[np.float64]]:
        """p(exactly these modalities are there | y) of each of the seven patterns, [diagnoses]."""
        absence = self.absence(diagnoses)
        nothing = absence.prod(axis=1)
        return {
            pattern: np.prod(
                [1 - absence[:, i] if m in pattern else absence[:, i] for i, m in enumerate(MODALITIES)], axis=0
            )
            + (nothing / len(MODALITIES) if len(pattern) == 1 else 0.0)
            for pattern in PATTERNS
        }

    def draw(self, label: int, diagnoses: int, rng: np.random.Generator) -> tuple[Modality, ...]:
        """The modalities a patient of that diagnosis has; always the same number of random numbers."""
        uniforms, kept = rng.random(len(MODALITIES)), int(rng.integers(len(MODALITIES)))
        absence = self.absence(diagnoses)[label]
        there = tuple(m for m, u, p in zip(MODALITIES, uniforms, absence, strict=True) if u >= p)
        return there or (MODALITIES[kept],)


def label_transition(noise: float, diagnoses: int) -> NDArray[np.float64]:
    """p(recorded label | true label), [true, recorded]: wrong with probability `noise`, then any other alike."""
    wrong = np.full((diagnoses, diagnoses), noise / (diagnoses - 1))
    np.fill_diagonal(wrong, 1 - noise)
    return wrong


def draw_recorded(label: int, noise: float, diagnoses: int, rng: np.random.Generator) -> int:
    """The label that is recorded; one random number, whatever the noise, so that more noise only adds errors."""
    uniform = rng.random()
    if uniform >= noise:
        return label
    others = [other for other in range(diagnoses) if other != label]
    return others[min(int(uniform / noise * len(others)), len(others) - 1)]
