"""Cross-modal retrieval: does a patient's image find that patient's note and vitals among everyone's?"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.intervals import summarise
from services.diagnosis.evaluation.subject import Array, Table
from services.diagnosis.model.modalities import MODALITIES

AT = (1, 5, 10)
QUERIES_AT_ONCE = 500
"""Against 40,000 others: 160 MB, where all queries at once would take 13 GB a copy."""


def measure_retrieval(table: Table, *, seed: int) -> dict[str, Any]:
    """Recall at 1, 5 and 10 for each pair of modalities, by cosine of pooled features; nothing is fitted.

    A query finds its mark when a case of the same patient is among the nearest k. Only a model trained to share a space
    can do better than chance.
    Returns: `n`, and per pair such as `image_to_note`: `n`, `recall_at_1`, `recall_at_5`, `recall_at_10`, each with
        interval and `_chance`, and `median_rank`. Empty pairs are left out, all of them for a subject without features.
    """
    found: dict[str, Any] = {"n": len(table.patients)}
    if table.pooled is None:
        return found
    for first, second in permutations(range(len(MODALITIES)), 2):
        both = table.available[:, first] & table.available[:, second]
        both &= (table.pooled[:, [first, second]] != 0).any(2).all(1)
        if both.sum() > 1:
            ranks = ranks_of(table.pooled[both, first], table.pooled[both, second], table.patients[both])
            name = f"{MODALITIES[first]}_to_{MODALITIES[second]}"
            found[name] = recall_of(ranks, table.patients[both], seed)
    return found


def ranks_of(queries: NDArray[np.float32], gallery: NDArray[np.float32], patients: NDArray[np.str_]) -> Array:
    """[n]: rank, from 1, of the best gallery item of the query's own patient; ties count against it."""
    asked, found = _unit(queries), _unit(gallery)
    _, whose = np.unique(patients, return_inverse=True)
    chunks = [slice(start, start + QUERIES_AT_ONCE) for start in range(0, len(asked), QUERIES_AT_ONCE)]
    return np.concatenate([_ranks(asked[chunk] @ found.T, whose[chunk], whose) for chunk in chunks])


def _ranks(similarity: Array, asking: NDArray[np.int64], whose: NDArray[np.int64]) -> Array:
    """Of queries by the patients `asking`, whose similarity [queries, n] to the gallery's is known."""
    own = asking[:, None] == whose[None]
    best = np.where(own, similarity, -np.inf).max(1)
    return np.asarray(1 + ((similarity >= best[:, None]) & ~own).sum(1), np.float64)


def recall_of(ranks: Array, patients: NDArray[np.str_], seed: int) -> dict[str, Any]:
    """Recall at 1, 5 and 10 with intervals and chance, and the median rank. `ranks` [n], as `ranks_of`."""
    columns = {f"recall_at_{k}": (ranks <= k).astype(np.float64) for k in AT}
    return {
        "n": len(ranks),
        **summarise(columns, patients, seed=seed),
        **{f"recall_at_{k}_chance": chance_of(patients, k) for k in AT},
        "median_rank": float(np.median(ranks)),
    }


def chance_of(patients: NDArray[np.str_], k: int) -> float:
    """Mean probability that k items drawn without replacement hold one of the query's patient."""
    from scipy.stats import hypergeom

    _, which, counts = np.unique(patients, return_inverse=True, return_counts=True)
    n = len(patients)
    return float(np.mean(hypergeom.sf(0, n, counts[which], min(k, n))))


def _unit(features: NDArray[np.float32]) -> Array:
    wide = features.astype(np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12))
