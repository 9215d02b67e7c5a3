"""From the calibration split's logits to all that turns logits into advice. Seconds for twenty thousand patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.inference.conformal import ConformalTable, fit_conformal
from services.diagnosis.inference.next_best import EntropyDrops
from services.diagnosis.inference.thresholds import Thresholds, fit_confidence
from services.diagnosis.inference.uncertainty import IntervalScale, epistemic, fit_intervals
from services.diagnosis.inference.verdicts import VerdictTable, fit_verdicts
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from services.diagnosis.training.calibrate import calibration_rows, fit_calibrator
from services.diagnosis.training.next_best import fit_entropy_drops
from services.diagnosis.training.pretrain import CLASSES

Array = NDArray[np.float64]
EPISTEMIC_QUANTILE = 0.995
INTERVAL_COVERAGE = 0.9


@dataclass(frozen=True)
class Decisions:
    """The parts of a bundle between the weights and the answer; each has its `to_json`."""

    calibrator: Calibrator
    conformal: ConformalTable
    verdicts: VerdictTable
    intervals: IntervalScale
    thresholds: Thresholds
    drops: EntropyDrops


def fit_decisions(
    logits: Mapping[str, Tensor],
    labels: NDArray[np.int64],
    deterioration: Array,
    posteriors: Mapping[str, Array],
    *,
    coverage: float,
    largest_set: int,
    available: NDArray[np.bool_] | None = None,
) -> Decisions:
    """Fit everything on one patient-disjoint split.

    Args:
        logits: pattern -> member logits [members, n, logits], every patient replayed under every pattern.
        labels, deterioration: [n].
        posteriors: pattern -> what is best to believe [n, classes], for the intervals of the probabilities.
        available: [n, modalities], what each patient really came with; default: everything. Cases that cannot be shown
            under a pattern do not count for it, and naturally incomplete ones replace replayed ones where there are
            enough (`calibrate.calibration_rows`).
    """
    known = np.ones((len(labels), len(MODALITIES)), np.bool_) if available is None else available
    rows = calibration_rows(known)
    calibrator = fit_calibrator(logits, torch.from_numpy(labels), torch.from_numpy(deterioration), known)
    members = calibrated(calibrator, logits)
    diagnoses = {pattern: value[..., :CLASSES] for pattern, value in members.items()}
    means = {pattern: value.mean(0) for pattern, value in diagnoses.items()}
    shown = {p: diagnoses[p][:, rows[p]] for p in PATTERNS}
    limits = {p: float(np.quantile(epistemic(shown[p]), EPISTEMIC_QUANTILE)) for p in PATTERNS}
    return Decisions(
        calibrator,
        fit_conformal(means, labels, coverage=coverage, rows=rows),
        fit_verdicts(means, labels, alpha=1 - coverage, rows=rows),
        fit_intervals(shown, {p: posteriors[p][rows[p]] for p in PATTERNS}, coverage=INTERVAL_COVERAGE),
        Thresholds(largest_set, limits, fit_confidence(means, labels, rows=rows)),
        fit_entropy_drops(means),
    )


def calibrated(calibrator: Calibrator, logits: Mapping[str, Tensor]) -> dict[str, Array]:
    """Pattern -> member probabilities [members, n, logits]."""
    return {
        pattern: calibrator.member_probabilities(value, torch.full((value.shape[1],), PATTERNS.index(pattern))).numpy()
        for pattern, value in logits.items()
    }
