"""From the calibration split's logits to all that turns logits into advice. Seconds for twenty thousand patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from services.diagnosis.inference.venn_abers import VennAbers, fit_venn_abers
from services.diagnosis.inference.verdicts import CRITICAL, VerdictTable, fit_verdicts
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, TaskSpec
from services.diagnosis.training.calibrate import calibration_rows, fit_calibrator, replayed_rows
from services.diagnosis.training.label_intervals import fit_intervals_to_labels
from services.diagnosis.training.next_best import fit_entropy_drops

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
    venn_abers: VennAbers


def fit_decisions(
    logits: Mapping[str, Tensor],
    tasks: Sequence[TaskSpec],
    targets: Mapping[str, Array],
    posteriors: Mapping[str, Array] | None,
    *,
    coverage: float,
    largest_set: int,
    available: NDArray[np.bool_] | None = None,
    critical: Sequence[int] = CRITICAL,
) -> Decisions:
    """Fit everything on one patient-disjoint split.

    Args:
        logits: pattern -> member logits [members, n, logits], every patient replayed under every pattern.
        tasks, targets: as `fit_calibrator` takes them.
        posteriors: pattern -> what is best to believe [n, classes], for the intervals of the probabilities; None:
            nobody knows, and the intervals come from the labels (`label_intervals`).
        available: [n, modalities], what each patient really came with; default: everything. Cases that cannot be shown
            under a pattern do not count for it, and naturally incomplete ones replace replayed ones where there are
            enough (`calibrate.calibration_rows`).
        critical: the classes whose miss rate is controlled; default: of the demo's diagnoses.
    """
    labels = targets[tasks[0].name].astype(np.int64)
    known = np.ones((len(labels), len(MODALITIES)), np.bool_) if available is None else available
    rows = calibration_rows(known)
    calibrator = fit_calibrator(logits, tasks, {name: torch.from_numpy(t) for name, t in targets.items()}, known)
    members = calibrated(calibrator, logits)
    diagnoses = {pattern: value[..., : tasks[0].logits] for pattern, value in members.items()}
    means = {pattern: value.mean(0) for pattern, value in diagnoses.items()}
    shown = {p: diagnoses[p][:, rows[p]] for p in PATTERNS}
    if posteriors is None:
        intervals = fit_intervals_to_labels(shown, {p: labels[rows[p]] for p in PATTERNS}, coverage=INTERVAL_COVERAGE)
    else:
        believed = {p: posteriors[p][rows[p]] for p in PATTERNS}
        intervals = fit_intervals(shown, believed, coverage=INTERVAL_COVERAGE)
    return Decisions(
        calibrator,
        fit_conformal(means, labels, coverage=coverage, rows=rows),
        fit_verdicts(means, labels, alpha=1 - coverage, rows=rows, critical=critical),
        intervals,
        Thresholds(largest_set, _epistemic_limits(shown), fit_confidence(means, labels, rows=rows)),
        fit_entropy_drops(means, None if available is None else replayed_rows(known)),
        fit_venn_abers(means, labels, rows=rows),
    )


def _epistemic_limits(members: Mapping[str, Array]) -> dict[str, float]:
    """Per pattern; one that no calibration case shows takes the limit of all of them together."""
    found = {pattern: epistemic(own) for pattern, own in members.items()}
    together = np.concatenate(list(found.values()))
    return {p: float(np.quantile(own if len(own) else together, EPISTEMIC_QUANTILE)) for p, own in found.items()}


def calibrated(calibrator: Calibrator, logits: Mapping[str, Tensor]) -> dict[str, Array]:
    """Pattern -> member probabilities [members, n, logits]."""
    return {
        pattern: calibrator.member_probabilities(value, torch.full((value.shape[1],), PATTERNS.index(pattern))).numpy()
        for pattern, value in logits.items()
    }
