"""What the joint space needs of a vector index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Entry:
    """One vector under a name that is its own within its kind, and the label that is shown with it."""

    name: str
    label: int
    vector: Vector


@dataclass(frozen=True)
class Hit:
    """One of the nearest entries; similarity is the cosine in [-1, 1]."""

    name: str
    label: int
    similarity: float


class VectorIndex(Protocol):
    """Entries of several kinds, searched one kind at a time."""

    def replace(self, kind: str, entries: list[Entry]) -> None:
        """Make these the entries of a kind, whatever it held before."""

    def search(self, kind: str, vector: Vector, k: int) -> list[Hit]:
        """The nearest by cosine, most similar first, ties by name; fewer than k where there are not as many."""
