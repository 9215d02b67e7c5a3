"""From the members' probabilities to what is answered: ranking, intervals, set, uncertainty, risks, abstention."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from services.diagnosis.bundle.contents import BundleContents
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.inference.prediction import (
    Calibration,
    DiagnosisVerdict,
    Explanation,
    Level,
    ModalityOutcome,
    OrdinalRisk,
    Prediction,
    PredictionSet,
    RankedDiagnosis,
    Risk,
    RuledOut,
)
from services.diagnosis.inference.reasons import abstention_reasons, uncalibrated_note, what_would_help
from services.diagnosis.inference.uncertainty import decompose
from services.diagnosis.model.modalities import DETERIORATION, SEVERITY, columns_of, pattern_name
from services.diagnosis.model.tasks import level_probabilities
from shared.codes import SEVERITIES

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
    if not members:
        reasons = ("No evidence is left to predict from.", *what_would_help(outcomes))
        return Prediction(bundle, dict(outcomes), (), None, None, True, reasons, {}, Explanation())
    pattern = pattern_name([name for name, outcome in outcomes.items() if outcome.used])
    own = members[pattern]
    diagnoses = own[:, : len(contents.labels)]
    prediction_set = _prediction_set(contents, diagnoses.mean(0), pattern)
    uncertainty, ranked = decompose(diagnoses), rank(contents, own, pattern)
    why = abstention_reasons(contents.thresholds, pattern, prediction_set, uncertainty, ranked[0], contents.labels)
    calibration = Calibration(contents.calibrator.is_calibrated(pattern), contents.calibrator.counts[pattern])
    reservations = () if calibration.calibrated else (uncalibrated_note(pattern, calibration.cases),)
    set_aside = not all(outcome.used for outcome in outcomes.values())
    return Prediction(
        bundle,
        dict(outcomes),
        ranked,
        prediction_set,
        uncertainty,
        bool(why),
        (*why, *reservations, *(what_would_help(outcomes) if why or set_aside else ())),
        _risks(contents, own, pattern),
        Explanation(),
        calibration,
        _verdicts(contents, diagnoses.mean(0), pattern),
        _ruled_out(contents, diagnoses.mean(0), pattern),
    )


def _prediction_set(contents: BundleContents, probabilities: Array, pattern: str) -> PredictionSet:
    labels, guarantee = contents.conformal.predict(probabilities, pattern)
    codes = tuple(contents.labels[k].code for k in labels)
    return PredictionSet(contents.conformal.coverage, codes, guarantee, contents.conformal.cases(pattern))


def _verdicts(contents: BundleContents, probabilities: Array, pattern: str) -> tuple[DiagnosisVerdict, ...]:
    found = contents.verdicts.verdicts(probabilities, pattern)
    return tuple(DiagnosisVerdict(coding.code, verdict) for coding, verdict in zip(contents.labels, found, strict=True))


def _ruled_out(contents: BundleContents, probabilities: Array, pattern: str) -> tuple[RuledOut, ...]:
    table = contents.verdicts
    return tuple(
        RuledOut(contents.labels[k].code, table.miss_rate, table.confidence, table.cases(pattern, k))
        for k in table.safely_ruled_out(probabilities, pattern)
    )


def _risks(contents: BundleContents, members: Array, pattern: str) -> dict[str, Risk | OrdinalRisk]:
    """The answers beside the diagnosis, of the tasks that the bundle has."""
    columns = columns_of(contents.config.tasks)
    found: dict[str, Risk | OrdinalRisk] = {}
    if DETERIORATION in columns:
        worse = members[:, columns[DETERIORATION]][:, 0]
        found[DETERIORATION] = Risk(float(worse.mean()), contents.intervals.interval(worse, pattern))
    if SEVERITY in columns:
        beyond = torch.from_numpy(members[:, columns[SEVERITY]])
        each = level_probabilities(beyond).numpy()  # [members, levels]
        levels = (
            Level(coding, float(own.mean()), contents.intervals.interval(own, pattern))
            for coding, own in zip(SEVERITIES, each.T, strict=True)
        )
        found[SEVERITY] = OrdinalRisk(tuple(levels))
    return found


def rank(contents: BundleContents, members: Array, pattern: str) -> tuple[RankedDiagnosis, ...]:
    """All diagnoses, most probable first."""
    probabilities, table = members.mean(0), contents.venn_abers
    order = np.argsort(-probabilities[: len(contents.labels)], kind="stable").tolist()
    return tuple(
        RankedDiagnosis(
            contents.labels[k],
            float(probabilities[k]),
            contents.intervals.interval(members[:, k], pattern),
            None if table is None else table.interval(float(probabilities[k]), pattern, k),
        )
        for k in order
    )
