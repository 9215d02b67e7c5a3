"""From the members' probabilities to what is answered: ranking, intervals, set, uncertainty, risks, abstention."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.bundle.contents import BundleContents
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.inference.prediction import (
    Explanation,
    ModalityOutcome,
    Prediction,
    PredictionSet,
    RankedDiagnosis,
    Risk,
)
from services.diagnosis.inference.thresholds import abstention_reasons
from services.diagnosis.inference.uncertainty import decompose
from services.diagnosis.model.modalities import pattern_name

Array = NDArray[np.float64]


def decide(
    bundle: BundleIdentity,
    contents: BundleContents,
    outcomes: Mapping[str, ModalityOutcome],
    members: Mapping[str, Array],
) -> Prediction:
    """The prediction without its explanation.

    Args:
        members: pattern -> calibrated member probabilities [members, logits]; empty where nothing could be used.
    """
    rejected = tuple(f"{name}: {outcome.reason}" for name, outcome in outcomes.items() if not outcome.used)
    if not members:
        reasons = ("No evidence is left to predict from.", *rejected)
        return Prediction(bundle, dict(outcomes), (), None, None, True, reasons, {}, Explanation())
    pattern = pattern_name([name for name, outcome in outcomes.items() if outcome.used])
    own = members[pattern]
    classes = len(contents.labels)
    diagnoses = own[:, :classes]
    labels, guarantee = contents.conformal.predict(diagnoses.mean(0), pattern)
    prediction_set = PredictionSet(
        contents.conformal.coverage, tuple(contents.labels[k].code for k in labels), guarantee
    )
    uncertainty = decompose(diagnoses)
    reasons = abstention_reasons(contents.thresholds, pattern, prediction_set, uncertainty)
    return Prediction(
        bundle,
        dict(outcomes),
        rank(contents, own, pattern),
        prediction_set,
        uncertainty,
        bool(reasons),
        (*reasons, *rejected),
        {"deterioration24h": _risk(contents, own[:, classes], pattern)} if contents.config.deterioration else {},
        Explanation(),
    )


def _risk(contents: BundleContents, members: Array, pattern: str) -> Risk:
    return Risk(float(members.mean()), contents.intervals.interval(members, pattern))


def rank(contents: BundleContents, members: Array, pattern: str) -> tuple[RankedDiagnosis, ...]:
    """All diagnoses, most probable first."""
    probabilities = members.mean(0)
    order = np.argsort(-probabilities[: len(contents.labels)], kind="stable")
    return tuple(
        RankedDiagnosis(
            contents.labels[k], float(probabilities[k]), contents.intervals.interval(members[:, k], pattern)
        )
        for k in order
    )
