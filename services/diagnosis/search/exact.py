"""Every vector compared, in memory: exact, and at a hundred thousand cases still a few milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from services.diagnosis.search.index import Entry, Hit, Vector


@dataclass(frozen=True)
class _Shelf:
    names: tuple[str, ...]
    labels: tuple[int, ...]
    vectors: Vector
    """[entries, width], unit vectors."""


@dataclass(frozen=True)
class ExactIndex:
    """A `VectorIndex` without a server. Searching is safe from several threads."""

    _shelves: dict[str, _Shelf] = field(default_factory=dict)

    def replace(self, kind: str, entries: list[Entry]) -> None:
        ordered = sorted(entries, key=lambda entry: entry.name)
        vectors = np.stack([entry.vector for entry in ordered]) if ordered else np.zeros((0, 0), np.float32)
        self._shelves[kind] = _Shelf(
            tuple(entry.name for entry in ordered), tuple(entry.label for entry in ordered), _unit(vectors)
        )

    def search(self, kind: str, vector: Vector, k: int) -> list[Hit]:
        shelf = self._shelves.get(kind)
        if shelf is None or not shelf.names:
            return []
        similarity = shelf.vectors @ _unit(vector[None])[0]
        nearest = np.argsort(-similarity, kind="stable")[:k]
        return [Hit(shelf.names[i], shelf.labels[i], float(similarity[i])) for i in nearest]


def _unit(vectors: Vector) -> Vector:
    lengths = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return np.asarray(vectors / lengths, np.float32)
