"""When not to advise: thresholds per availability pattern, and the reasons in a clinician's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.diagnosis.inference.prediction import PredictionSet, Uncertainty
from services.diagnosis.model.modalities import PATTERNS


@dataclass(frozen=True)
class Thresholds:
    """Abstain when the prediction set is larger than `largest_set`, or the members disagree more than they ever did."""

    largest_set: int
    epistemic: Mapping[str, float]
    """Per pattern: the 99.5 % quantile of the epistemic uncertainty on the calibration split, in nats."""

    def to_json(self) -> dict[str, Any]:
        return {"largestSet": self.largest_set, "epistemic": dict(self.epistemic)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Thresholds:
        return cls(int(value["largestSet"]), {pattern: float(value["epistemic"][pattern]) for pattern in PATTERNS})


def abstention_reasons(
    thresholds: Thresholds, pattern: str, prediction_set: PredictionSet, uncertainty: Uncertainty
) -> tuple[str, ...]:
    """Why not to advise on this case; empty where there is no reason."""
    reasons = []
    if len(prediction_set.codes) > thresholds.largest_set:
        reasons.append(
            f"{len(prediction_set.codes)} diagnoses remain possible at {prediction_set.coverage:.0%} coverage: "
            "the evidence at hand does not tell them apart."
        )
    if uncertainty.epistemic > thresholds.epistemic[pattern]:
        reasons.append(
            "The members of the model disagree more than on 99.5 % of the cases they were calibrated on: "
            "this case is unlike those."
        )
    return tuple(reasons)
