"""Conformal prediction sets per availability pattern, class-conditional where the cells are large enough.

A label enters the set when its nonconformity does not exceed the threshold of its cell. The ladder pattern x class ->
pattern x similar classes -> pattern -> marginal is climbed until a rung holds enough cases, and the result names it.
Split conformal, class-conditional (Mondrian) form: Vovk, arXiv 1209.2673; threshold rank ceil((n + 1)(1 - alpha)).

Both scores give the most probable label nonconformity 0, so it is always in: an empty set advises nothing. The
thresholds are fitted to those very scores, so that this costs no excess coverage, except where the most probable label
alone already covers a class more often than was asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.modalities import PATTERNS

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
RUNGS = ("pattern x class", "pattern x similar classes", "pattern", "marginal", "none: too few calibration cases")
MIN_CASES_PER_CLASS = 10
"""A class has its own threshold from 10 / alpha cases on; below, the threshold would hang on a case or two."""
RAPS_PENALTY, RAPS_FREE = 0.05, 2
"""RAPS adds 0.05 for each rank beyond the second (Angelopoulos et al. 2021, arXiv 2009.14193)."""
_SIMILARITY_QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9)


def least_ambiguous(probabilities: Array) -> Array:
    """1 - p, and 0 for the most probable label; [n, classes] -> the same (after Sadinle et al. 2019, arXiv 1609.00451).

    Ties for the first place go to the first label.
    """
    scores = 1 - probabilities
    scores[np.arange(len(scores)), probabilities.argmax(1)] = 0.0
    return np.asarray(scores)


def regularised_adaptive(probabilities: Array) -> Array:
    """RAPS without randomisation: the mass of the more probable labels, plus the penalty on deep ranks."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    depth = np.arange(1, probabilities.shape[1] + 1)
    above = np.cumsum(ranked, axis=1) - ranked + RAPS_PENALTY * np.maximum(0, depth - RAPS_FREE)
    scores = np.empty_like(above)
    np.put_along_axis(scores, order, above, axis=1)
    return scores


SCORES: dict[str, Callable[[Array], Array]] = {"least ambiguous": least_ambiguous, "RAPS": regularised_adaptive}


@dataclass(frozen=True)
class ConformalTable:
    """Thresholds [patterns, classes] on the nonconformity: a label enters where score <= threshold."""

    coverage: float
    thresholds: Array
    rungs: NDArray[np.int64]
    """[patterns, classes]: index into RUNGS."""
    counts: NDArray[np.int64]
    """[patterns, classes]: calibration cases of the cell."""
    scores: tuple[str, ...]
    """Per pattern: which of SCORES its thresholds are for."""

    def contains(self, probabilities: Array, pattern: str) -> NDArray[np.bool_]:
        """Which labels are in the sets of `probabilities` [n, classes]."""
        row = PATTERNS.index(pattern)
        return np.asarray(SCORES[self.scores[row]](probabilities) <= self.thresholds[row])

    def predict(self, probabilities: Array, pattern: str) -> tuple[list[int], str]:
        """Labels of the set of one case [classes], most probable first, and the guarantee.

        The guarantee is the weakest rung that any label stands on: a label may be missing by a weak threshold.
        """
        inside = self.contains(probabilities[None], pattern)[0]
        chosen = [int(k) for k in np.argsort(-probabilities, kind="stable") if inside[k]]
        return chosen, RUNGS[int(self.rungs[PATTERNS.index(pattern)].max())]

    def cases(self, pattern: str) -> int:
        """Calibration cases of the smallest cell of the pattern."""
        return int(self.counts[PATTERNS.index(pattern)].min())

    def to_json(self) -> dict[str, Any]:
        return {
            "coverage": self.coverage,
            "scores": list(self.scores),
            "thresholds": [[None if math.isinf(t) else t for t in row] for row in self.thresholds.tolist()],
            "rungs": self.rungs.tolist(),
            "counts": self.counts.tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ConformalTable:
        thresholds, rungs = _finite_or_all(value["thresholds"]), np.array(value["rungs"], np.int64)
        counts = np.array(value["counts"], np.int64)
        return cls(float(value["coverage"]), thresholds, rungs, counts, tuple(value["scores"]))


def _finite_or_all(rows: list[list[float | None]]) -> Array:
    """Thresholds from JSON, where None lets every label in: JSON knows no infinity."""
    return np.array([[math.inf if t is None else t for t in row] for row in rows], np.float64)


def fit_conformal(
    probabilities: Mapping[str, Array],
    labels: Labels,
    *,
    coverage: float,
    rows: Mapping[str, NDArray[np.int64]] | None = None,
) -> ConformalTable:
    """Thresholds from a calibration split.

    Args:
        probabilities: pattern -> [n, classes]; labels: [n].
        rows: pattern -> the cases that count for it; default: all.
    """
    usable = rows or dict.fromkeys(PATTERNS, np.arange(len(labels)))
    names = {p: _smaller_sets(probabilities[p][usable[p]], labels[usable[p]], coverage) for p in PATTERNS}
    own = {p: _true_scores(probabilities[p][usable[p]], labels[usable[p]], names[p]) for p in PATTERNS}
    kinds = {name: [own[p] for p in PATTERNS if names[p] == name] for name in SCORES}
    everything = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in kinds.items()}
    classes = next(iter(probabilities.values())).shape[1]
    thresholds = np.zeros((len(PATTERNS), classes))
    rungs, counts = np.zeros((2, len(PATTERNS), classes), np.int64)
    for row, pattern in enumerate(PATTERNS):
        truth = labels[usable[pattern]]
        counts[row] = np.bincount(truth, minlength=classes)
        thresholds[row], rungs[row] = _fit_pattern(
            own[pattern], truth, everything[names[pattern]], counts[row], coverage
        )
    return ConformalTable(coverage, thresholds, rungs, counts, tuple(names[p] for p in PATTERNS))


def _true_scores(probabilities: Array, labels: Labels, name: str) -> Array:
    return np.asarray(SCORES[name](probabilities)[np.arange(len(labels)), labels])


def _smaller_sets(probabilities: Array, labels: Labels, coverage: float) -> str:
    """The score whose class-conditional sets are smaller: thresholds from the even cases, sizes from the odd ones."""
    sizes = {}
    for name, score in SCORES.items():
        fitted, tried = score(probabilities[::2]), score(probabilities[1::2])
        thresholds = [_quantile(fitted[labels[::2] == k, k], coverage) for k in range(probabilities.shape[1])]
        sizes[name] = float((tried <= np.array(thresholds)).sum(1).mean()) if len(tried) else 0.0
    return min(sizes, key=lambda name: sizes[name])


def _fit_pattern(
    own: Array, labels: Labels, everything: Array, counts: NDArray[np.int64], coverage: float
) -> tuple[Array, NDArray[np.int64]]:
    """Thresholds and rungs of all classes of one pattern."""
    enough = MIN_CASES_PER_CLASS / (1 - coverage)
    thresholds, rungs = np.zeros(len(counts)), np.zeros(len(counts), np.int64)
    for k, n in enumerate(counts):
        alone = own[labels == k]
        similar = np.zeros(0) if n >= enough else _with_similar(own, labels, k, enough, coverage)
        ladder = [alone if n >= enough else alone[:0], similar, own, everything]
        thresholds[k], rungs[k] = _first_sufficient(ladder, coverage)
    return thresholds, rungs


def _with_similar(own: Array, labels: Labels, k: int, enough: float, coverage: float) -> Array:
    """Scores of class k and of those whose scores are spread most alike, until there are enough.

    After clustered conformal prediction (Ding et al. 2023, arXiv 2306.09335): the coverage holds over the pool. Empty
    where class k has too few cases to tell what it is like.
    """
    groups = {int(j): own[labels == j] for j in np.unique(labels)}
    if k not in groups or len(groups[k]) < 1 / (1 - coverage):
        return np.zeros(0)
    shape = {j: np.quantile(scores, _SIMILARITY_QUANTILES) for j, scores in groups.items()}
    nearest = sorted(groups, key=lambda j: float(np.abs(shape[j] - shape[k]).sum()))
    pool: list[Array] = []
    for j in nearest:
        pool.append(groups[j])
        if sum(map(len, pool)) >= enough:
            return np.concatenate(pool)
    return np.zeros(0)


def _first_sufficient(ladder: list[Array], coverage: float) -> tuple[float, int]:
    for rung, scores in enumerate(ladder):
        if len(scores) and math.ceil((len(scores) + 1) * coverage) <= len(scores):
            return _quantile(scores, coverage), rung
    return math.inf, len(RUNGS) - 1


def _quantile(scores: Array, coverage: float) -> float:
    """The ceil((n + 1) coverage)-th smallest; infinite where there are too few."""
    rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf
