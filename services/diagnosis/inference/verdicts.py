"""Each diagnosis on its own: ruled in, ruled out or uncertain, and what may be ruled out at a controlled miss rate.

Two one-sided conformal tests per cell (pattern, class): "has it" is rejected where fewer than alpha of the calibration
cases that had it scored as low, "has it not" where fewer than alpha of those without it scored as high. So of the cases
that have a diagnosis at most alpha are ruled out, and of those that have it not at most alpha are ruled in; each holds
per pattern and true class (Mondrian; Vovk, arXiv 1209.2673).

The list of critical diagnoses that are ruled out stands on more: with 90 % confidence over the draw of the calibration
split, at most 5 % of such patients are on it (learn then test, Angelopoulos et al., arXiv 2110.01052).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.modalities import PATTERNS
from shared.codes import DIAGNOSES, PNEUMOTHORAX, PULMONARY_EMBOLISM, SEPSIS, Coding

Array = NDArray[np.float64]
Verdict = Literal["ruled in", "ruled out", "uncertain"]
CRITICAL: tuple[int, ...] = tuple(DIAGNOSES.index(coding) for coding in (PNEUMOTHORAX, PULMONARY_EMBOLISM, SEPSIS))
"""Missing these kills within hours: the classes whose miss rate is controlled."""
_CRITICAL_CODES = frozenset(DIAGNOSES[k].code for k in CRITICAL)
MISS_RATE, CONFIDENCE = 0.05, 0.9
NEVER, ALWAYS = -1.0, 2.0
"""Thresholds that no probability falls below or rises above, where there are too few cases to promise anything."""


@dataclass(frozen=True)
class VerdictTable:
    """Thresholds on the calibrated probability of each class, [patterns, classes]."""

    alpha: float
    ruled_out_below: Array
    ruled_in_above: Array
    miss_rate: float
    confidence: float
    safe_below: Array
    """A critical class is listed as ruled out below this; NEVER for the others."""
    counts: NDArray[np.int64]
    """Calibration cases that have the class."""

    def verdicts(self, probabilities: Array, pattern: str) -> tuple[Verdict, ...]:
        """One per class [classes]. Both rejected means that neither fits: uncertain too."""
        row = PATTERNS.index(pattern)
        low = probabilities < self.ruled_out_below[row]
        high = probabilities > self.ruled_in_above[row]
        return tuple(
            "uncertain" if out == into else "ruled in" if into else "ruled out"
            for out, into in zip(low.tolist(), high.tolist(), strict=True)
        )

    def safely_ruled_out(self, probabilities: Array, pattern: str) -> tuple[int, ...]:
        """Critical classes whose miss rate is controlled, and which this case may be said not to have."""
        row = PATTERNS.index(pattern)
        return tuple(np.flatnonzero(probabilities < self.safe_below[row]).tolist())

    def cases(self, pattern: str, k: int) -> int:
        return int(self.counts[PATTERNS.index(pattern), k])

    def to_json(self) -> dict[str, Any]:
        return {
            "alpha": self.alpha,
            "ruledOutBelow": self.ruled_out_below.tolist(),
            "ruledInAbove": self.ruled_in_above.tolist(),
            "missRate": self.miss_rate,
            "confidence": self.confidence,
            "safeBelow": self.safe_below.tolist(),
            "counts": self.counts.tolist(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> VerdictTable:
        arrays = (np.array(value[key], np.float64) for key in ("ruledOutBelow", "ruledInAbove", "safeBelow"))
        out, into, safe = arrays
        counts = np.array(value["counts"], np.int64)
        return cls(float(value["alpha"]), out, into, float(value["missRate"]), float(value["confidence"]), safe, counts)


def fit_verdicts(
    probabilities: Mapping[str, Array],
    labels: NDArray[np.int64],
    *,
    alpha: float = 0.1,
    rows: Mapping[str, NDArray[np.int64]] | None = None,
    critical: Sequence[int] = CRITICAL,
) -> VerdictTable:
    """Thresholds of every cell from a calibration split.

    Args:
        probabilities: pattern -> [n, classes]; labels: [n].
        rows: pattern -> the cases that count for it; default: all.
        critical: the classes whose miss rate is controlled; default: of the demo's diagnoses.
    """
    classes = next(iter(probabilities.values())).shape[1]
    out, into, safe = np.full((3, len(PATTERNS), classes), NEVER)
    into[:] = ALWAYS
    counts = np.zeros(out.shape, np.int64)
    for row, pattern in enumerate(PATTERNS):
        own = slice(None) if rows is None else rows[pattern]
        scores, truth = probabilities[pattern][own], labels[own]
        for k in range(classes):
            having, lacking = scores[truth == k, k], scores[truth != k, k]
            counts[row, k] = len(having)
            out[row, k] = lower_threshold(having, alpha)
            into[row, k] = -lower_threshold(-lacking, alpha, nothing=-ALWAYS)
            if k in critical:
                safe[row, k] = controlled_threshold(having, MISS_RATE, CONFIDENCE)
    return VerdictTable(alpha, out, into, MISS_RATE, CONFIDENCE, safe, counts)


def critical_of(labels: Sequence[Coding]) -> tuple[int, ...]:
    """Which of a bundle's diagnoses are critical."""
    return tuple(k for k, coding in enumerate(labels) if coding.code in _CRITICAL_CODES)


def lower_threshold(scores: Array, alpha: float, *, nothing: float = NEVER) -> float:
    """Scores strictly below this have a conformal p-value of at most alpha: (1 + #{scores <= s}) / (n + 1)."""
    rank = math.floor(alpha * (len(scores) + 1) + 1e-9)
    return float(np.sort(scores)[rank - 1]) if rank >= 1 else nothing


def controlled_threshold(scores: Array, miss_rate: float, confidence: float) -> float:
    """The highest threshold t for which "at least `miss_rate` of them score below t" is rejected.

    The miss rate rises with t, so the thresholds are tested in order and the first that fails ends it: no correction
    for the number of tests. With j of n calibration scores below t the exact binomial p-value is P(Bin(n, rate) <= j).
    """
    from scipy.stats import binom

    n = len(scores)
    misses = np.arange(n + 1)
    rejected = np.flatnonzero(binom.cdf(misses, n, miss_rate) <= 1 - confidence)
    return float(np.sort(scores)[rejected[-1]]) if len(rejected) and rejected[-1] < n else NEVER
