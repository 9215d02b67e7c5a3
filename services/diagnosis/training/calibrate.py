"""Stage C: calibration per availability pattern, every calibration case replayed under every pattern it can show.

First temperatures and shifts, tied together by shrinkage; then, in patterns of at least a thousand cases per class, a
beta or isotonic curve where cross-validation finds a lower negative log-likelihood with it than without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.diagnosis.inference.calibration import Calibrator, Curve
from services.diagnosis.model.config import tasks_of
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.training.curves import choose_curve
from services.diagnosis.training.metrics import expected_calibration_error

Rows = Mapping[str, NDArray[np.int64]]
SHRINKAGE = {"pattern": 2.0, "class": 2.0, "shift": 4.0}
"""L2 penalties in units of one case's log-likelihood: a pattern of few cases leans on what all patterns share."""
ITERATIONS = 60
ROUGH_CASES, FINE_ITERATIONS = 3000, 12
"""Most steps are taken on a part of the cases; the last ones on all of them."""
NATURAL_CASES = 200
"""From so many patients who came with just these modalities, they are used instead of the replayed ones."""
CURVE_CASES_PER_CLASS = 1000


def replayed_rows(available: NDArray[np.bool_]) -> Rows:
    """Pattern -> cases that can be shown under it: all its modalities are at hand. `available` [n, modalities]."""
    masks = {pattern: np.array(mask_of(pattern)) for pattern in PATTERNS}
    return {pattern: np.flatnonzero((available | ~mask).all(1)) for pattern, mask in masks.items()}


def natural_rows(available: NDArray[np.bool_]) -> Rows:
    """Pattern -> cases that came with just these modalities."""
    masks = {pattern: np.array(mask_of(pattern)) for pattern in PATTERNS}
    return {pattern: np.flatnonzero((available == mask).all(1)) for pattern, mask in masks.items()}


def calibration_rows(available: NDArray[np.bool_]) -> Rows:
    """Naturally incomplete patients where there are enough of them, replayed ones else."""
    replayed, natural = replayed_rows(available), natural_rows(available)
    return {p: natural[p] if len(natural[p]) >= NATURAL_CASES else replayed[p] for p in PATTERNS}


def fit_calibrator(
    logits: Mapping[str, Tensor],
    labels: Tensor,
    deterioration: Tensor | None,
    available: NDArray[np.bool_] | None = None,
) -> Calibrator:
    """Minimise the negative log-likelihood of the ensemble's mean probability.

    Args:
        deterioration: [n]; None: the logits answer the diagnosis alone.
        logits: pattern -> member logits [members, n, logits] of the calibration split; what they are where a case
            lacks a modality of the pattern does not matter.
        available: [n, modalities], which modalities each patient really came with; default: all.
    """
    known = np.ones((len(labels), len(MODALITIES)), np.bool_) if available is None else available
    rows = calibration_rows(known)
    scaled = _fit_scaling(logits, labels, deterioration, rows)
    truth = labels.numpy()
    classes, tasks = scaled.tasks[0].logits, scaled.tasks
    counts = {p: tuple(np.bincount(truth[rows[p]], minlength=classes).tolist()) for p in PATTERNS}
    curves: dict[str, Curve] = {}
    for pattern in PATTERNS:
        if min(counts[pattern]) >= CURVE_CASES_PER_CLASS:
            members = _members(scaled, logits, pattern, rows[pattern])
            chosen = choose_curve(members[..., :classes], truth[rows[pattern]])
            if chosen is not None:
                curves[pattern] = chosen
    sizes = {pattern: len(rows[pattern]) for pattern in PATTERNS}
    fitted = Calibrator(scaled.temperatures, scaled.shifts, sizes, counts, curves, tasks=tasks)
    return replace(fitted, checks=_compare(fitted, logits, truth, known))


def _fit_scaling(logits: Mapping[str, Tensor], labels: Tensor, deterioration: Tensor | None, rows: Rows) -> Calibrator:
    k, asked = next(iter(logits.values())).shape[-1], deterioration is not None
    tasks = tasks_of(k - asked, deterioration=asked)
    start = {"t0": (1, 1), "a": (len(PATTERNS), 1), "b": (1, k), "c": (len(PATTERNS), k)}
    parameters = {name: torch.zeros(shape, dtype=torch.float64, requires_grad=True) for name, shape in start.items()}
    counts = {pattern: len(rows[pattern]) for pattern in PATTERNS}

    def calibrator() -> Calibrator:
        log_temperature = parameters["t0"] + parameters["a"] + parameters["b"]  # [patterns, logits]
        return Calibrator(log_temperature.exp(), parameters["c"], counts, tasks=tasks)

    for at_most, iterations in ((ROUGH_CASES, ITERATIONS), (len(labels), FINE_ITERATIONS)):
        part = {p: torch.from_numpy(rows[p][:at_most]) for p in PATTERNS}
        shown = {p: logits[p][:, part[p]].double() for p in PATTERNS}
        _descend(calibrator, parameters, shown, part, labels, deterioration, iterations)
    fitted = calibrator()
    return Calibrator(fitted.temperatures.detach(), fitted.shifts.detach(), counts, tasks=tasks)


def _descend(
    calibrator: Callable[[], Calibrator],
    parameters: Mapping[str, Tensor],
    logits: Mapping[str, Tensor],
    part: Mapping[str, Tensor],
    labels: Tensor,
    deterioration: Tensor | None,
    iterations: int,
) -> None:
    """Move the parameters towards the least penalised loss on the cases `part` of each pattern."""
    optimizer = torch.optim.LBFGS(parameters.values(), max_iter=iterations, line_search_fn="strong_wolfe")
    truth = {p: (labels[own], None if deterioration is None else deterioration[own]) for p, own in part.items()}

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = _negative_log_likelihood(calibrator(), logits, truth)
        loss = loss + SHRINKAGE["pattern"] * parameters["a"].square().sum()
        loss = loss + SHRINKAGE["class"] * parameters["b"].square().sum()
        loss = loss + SHRINKAGE["shift"] * parameters["c"].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]


def _negative_log_likelihood(
    calibrator: Calibrator, logits: Mapping[str, Tensor], truth: Mapping[str, tuple[Tensor, Tensor | None]]
) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for row, pattern in enumerate(PATTERNS):
        labels, deterioration = truth[pattern]
        probabilities = calibrator.probabilities(logits[pattern], torch.full((len(labels),), row))
        probabilities = probabilities.clamp(1e-9, 1 - 1e-9)
        total = total - probabilities[torch.arange(len(labels)), labels].log().sum()
        if deterioration is not None:
            worse = probabilities[:, -1]
            total = total - (deterioration * worse.log() + (1 - deterioration) * (1 - worse).log()).sum()
    return total


def _members(
    calibrator: Calibrator, logits: Mapping[str, Tensor], pattern: str, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Calibrated member probabilities [members, rows, logits]."""
    own = logits[pattern][:, torch.from_numpy(rows)]
    found: NDArray[np.float64] = calibrator.member_probabilities(
        own, torch.full((len(rows),), PATTERNS.index(pattern))
    ).numpy()
    return found


def _compare(
    calibrator: Calibrator, logits: Mapping[str, Tensor], labels: NDArray[np.int64], available: NDArray[np.bool_]
) -> dict[str, dict[str, float]]:
    """Is who lacks a modality like who has it hidden? Calibration error and mean surprise of both, where both exist.

    A difference beyond chance says that modalities are not missing at random, and that replay would mislead.
    """
    replayed, natural = replayed_rows(available), natural_rows(available)
    found, classes = {}, calibrator.tasks[0].logits
    for pattern in PATTERNS:
        others = np.setdiff1d(replayed[pattern], natural[pattern])
        groups = {"natural": natural[pattern], "replayed": others}
        if min(map(len, groups.values())) >= NATURAL_CASES:
            found[pattern] = {
                f"{key}{name.capitalize()}": value
                for name, rows in groups.items()
                for key, value in _figures(
                    _members(calibrator, logits, pattern, rows)[..., :classes], labels[rows]
                ).items()
            }
    return found


def _figures(members: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, float]:
    probabilities = members.mean(0)
    own = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-9)
    error = float(expected_calibration_error(probabilities, labels))
    return {"n": float(len(labels)), "ece": error, "nll": float(-np.log(own).mean())}
