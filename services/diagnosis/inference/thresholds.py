"""When not to advise: thresholds per availability pattern and leading diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.modalities import PATTERNS

Array = NDArray[np.float64]
RISK_SHARE = 0.6
"""What is answered shall err at most 0.6 times as often as all cases with that leading diagnosis do."""
ABSTAIN_AT_MOST = 0.2
"""But no more than a fifth of them are held back for it."""
MIN_LED = 50
"""A diagnosis that leads in fewer calibration cases takes the threshold of its whole pattern."""


@dataclass(frozen=True)
class Confidence:
    """Below which probability a leading diagnosis is not advised on, and how often those cases were wrong."""

    least: Array
    """[patterns, classes]"""
    wrong_below: Array
    """[patterns, classes]: share of calibration cases below `least` whose leading diagnosis was not the true one."""

    def to_json(self) -> dict[str, Any]:
        return {"least": self.least.tolist(), "wrongBelow": self.wrong_below.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Confidence:
        return cls(np.array(value["least"], np.float64), np.array(value["wrongBelow"], np.float64))

    @classmethod
    def none(cls, classes: int) -> Confidence:
        """No diagnosis is held back."""
        return cls(*np.zeros((2, len(PATTERNS), classes)))


@dataclass(frozen=True)
class Thresholds:
    """Abstain when the set is larger than `largest_set`, when the leading diagnosis is too unsure for its kind, or when
    the members disagree more than they ever did."""

    largest_set: int
    epistemic: Mapping[str, float]
    """Per pattern: the 99.5 % quantile of the epistemic uncertainty on the calibration split, in nats."""
    confidence: Confidence

    def to_json(self) -> dict[str, Any]:
        return {
            "largestSet": self.largest_set,
            "epistemic": dict(self.epistemic),
            "confidence": self.confidence.to_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Thresholds:
        limits = {pattern: float(value["epistemic"][pattern]) for pattern in PATTERNS}
        return cls(int(value["largestSet"]), limits, Confidence.from_json(value["confidence"]))


def fit_confidence(
    probabilities: Mapping[str, Array],
    labels: NDArray[np.int64],
    *,
    rows: Mapping[str, NDArray[np.int64]] | None = None,
) -> Confidence:
    """Per pattern and leading diagnosis, the lowest probability that brings the risk down to `RISK_SHARE` of it all.

    Args:
        probabilities: pattern -> [n, classes]; labels: [n].
        rows: pattern -> the cases that count for it; default: all.
    """
    classes = next(iter(probabilities.values())).shape[1]
    found = Confidence.none(classes)
    for row, pattern in enumerate(PATTERNS):
        own = slice(None) if rows is None else rows[pattern]
        leading, top = probabilities[pattern][own].argmax(1), probabilities[pattern][own].max(1)
        wrong = leading != labels[own]
        for k in range(classes):
            led = leading == k
            cell = led if led.sum() >= MIN_LED else np.ones(len(led), np.bool_)
            found.least[row, k], found.wrong_below[row, k] = least_confidence(top[cell], wrong[cell])
    return found


def least_confidence(top: Array, wrong: NDArray[np.bool_]) -> tuple[float, float]:
    """The threshold on the leading probability [n], and the share of wrong ones [n] below it; (0, 0) for no case."""
    n = len(top)
    if not n or not wrong.any():
        return 0.0, 0.0
    order = np.argsort(top, kind="stable")
    ordered, errors = top[order], wrong[order]
    kept_risk = np.cumsum(errors[::-1])[::-1] / np.arange(n, 0, -1)  # of cases i, i + 1, …
    most = int(ABSTAIN_AT_MOST * n)
    enough = np.flatnonzero(kept_risk[: most + 1] <= RISK_SHARE * wrong.mean())
    held_back = int(enough[0]) if len(enough) else most
    threshold = float(ordered[held_back])
    below = top < threshold
    return threshold, float(wrong[below].mean()) if below.any() else 0.0
