"""What every baseline sees of a case: one vector (and perhaps tokens) per modality, and which modalities are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.modalities import MODALITIES

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Features:
    """n cases side by side. What stands where `available` is False is never looked at."""

    pooled: NDArray[np.float32]
    """[n, modalities, dim]; NaN is an unknown entry of a vector that is there."""
    tokens: NDArray[np.float32] | None
    """[n, modalities, tokens, dim]"""
    available: NDArray[np.bool_]
    """[n, modalities]; at least one per case."""
    modalities: tuple[str, ...] = MODALITIES
    patients: Rows | None = None
    """[n] codes; rows of one patient are never on both sides of a split. None: every row is a patient."""

    def __post_init__(self) -> None:
        n, count = self.available.shape
        if self.pooled.shape[:2] != (n, count) or len(self.modalities) != count:
            raise ValueError(f"{count} modalities of {n} cases do not fit vectors of shape {self.pooled.shape}")
        if self.tokens is not None and self.tokens.shape[:2] != (n, count):
            raise ValueError(f"{count} modalities of {n} cases do not fit tokens of shape {self.tokens.shape}")
        if not self.available.any(axis=1).all():
            raise ValueError("every case needs at least one modality")

    @classmethod
    def of_vectors(cls, vectors: Mapping[str, NDArray[np.floating]], available: NDArray[np.bool_]) -> Features:
        """Vectors [n, dim of that modality] of different widths, zeros added up to the widest."""
        widest = max(value.shape[1] for value in vectors.values())
        padded = [np.pad(value, ((0, 0), (0, widest - value.shape[1]))) for value in vectors.values()]
        return cls(np.stack(padded, axis=1).astype(np.float32), None, available, tuple(vectors))

    @classmethod
    def join(cls, parts: Sequence[Features]) -> Features:
        """Variants of the same cases, one after the other; all rows of a case count as one patient."""
        tokens = [part.tokens for part in parts if part.tokens is not None]
        return cls(
            np.concatenate([part.pooled for part in parts]),
            np.concatenate(tokens) if len(tokens) == len(parts) else None,
            np.concatenate([part.available for part in parts]),
            parts[0].modalities,
            np.concatenate([part.groups for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.available)

    @property
    def groups(self) -> Rows:
        """[n] the patient of each row."""
        return np.arange(len(self)) if self.patients is None else self.patients

    def take(self, rows: Rows) -> Features:
        """Some of the cases."""
        tokens = None if self.tokens is None else self.tokens[rows]
        return replace(
            self, pooled=self.pooled[rows], tokens=tokens, available=self.available[rows], patients=self.groups[rows]
        )

    def under(self, mask: Sequence[bool] | NDArray[np.bool_]) -> Features:
        """The same cases with no more than the modalities of `mask`.

        Raises: ValueError: a case is left without any.
        """
        return replace(self, available=self.available & np.asarray(mask))


@dataclass(frozen=True)
class Examples:
    """Cases with their labels in [0, classes)."""

    features: Features
    labels: Rows
    classes: int

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Rows) -> Examples:
        return Examples(self.features.take(rows), self.labels[rows], self.classes)

    def prior(self) -> Array:
        """[classes] share of each class, one case added to each."""
        counts = np.bincount(self.labels, minlength=self.classes) + 1.0
        return np.asarray(counts / counts.sum())


def masks(modalities: int, seen: Sequence[int] | None = None) -> tuple[tuple[bool, ...], ...]:
    """All non-empty subsets of the modalities `seen` (default: of all) as masks, in the order of their code."""
    allowed = range(modalities) if seen is None else seen
    every = [tuple(bool(code >> m & 1) for m in range(modalities)) for code in range(1, 2**modalities)]
    return tuple(mask for mask in every if all(m in allowed for m in range(modalities) if mask[m]))


def pattern_codes(available: NDArray[np.bool_]) -> Rows:
    """[n] sum of 2^m over the modalities at hand."""
    return np.asarray(available @ (2 ** np.arange(available.shape[1])), np.int64)


def replays(features: Features, seen: Sequence[int] | None = None) -> Iterator[tuple[Rows, Features]]:
    """Every case under every subset of what it holds, a subset at a time: (rows, features)."""
    for mask in masks(features.available.shape[1], seen):
        rows = np.flatnonzero((features.available | ~np.array(mask)).all(axis=1))
        if len(rows):
            yield rows, features.take(rows).under(mask)
