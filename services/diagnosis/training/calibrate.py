"""Stage C: calibration per availability pattern, every calibration case replayed under every pattern it can show.

First temperatures and shifts, tied together by shrinkage; then, in patterns of at least a thousand cases per class, a
beta or isotonic curve where cross-validation finds a lower negative log-likelihood with it than without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.diagnosis.inference.calibration import Calibrator, Curve
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, TaskSpec, mask_of
from services.diagnosis.model.tasks import level_probabilities, split_tasks
from services.diagnosis.training.curves import choose_curve
from services.diagnosis.training.metrics import expected_calibration_error
from services.diagnosis.training.task_losses import UNKNOWN

Rows = Mapping[str, NDArray[np.int64]]
SHRINKAGE = {"pattern": 2.0, "class": 2.0, "shift": 4.0}
"""L2 penalties in units of one case's log-likelihood: a pattern of few cases leans on what all patterns share."""
ITERATIONS = 60
ROUGH_CASES, FINE_ITERATIONS = 3000, 12
"""Most steps are taken on a part of the cases; the last ones on all of them."""
NATURAL_CASES = 200
"""From so many patients who came with just these modalities, they are used instead of the replayed ones."""
CURVE_CASES_PER_CLASS = 1000
TINY = 1e-9


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
    tasks: Sequence[TaskSpec],
    targets: Mapping[str, Tensor],
    available: NDArray[np.bool_] | None = None,
) -> Calibrator:
    """Minimise the negative log-likelihood of the ensemble's mean probability.

    A step of an ordinal task is the binary log-odds of going beyond a level among those who reached it, with a
    temperature and a shift of its own like any other logit.

    Args:
        tasks: in the order of the logits; the first is the diagnosis.
        targets: task -> class, level or 0/1 [n]; `UNKNOWN` where nobody knows, but of the diagnosis. A task without
            targets is left as it is.
        logits: pattern -> member logits [members, n, logits] of the calibration split; what they are where a case
            lacks a modality of the pattern does not matter.
        available: [n, modalities], which modalities each patient really came with; default: all.
    """
    truth, classes = targets[tasks[0].name].long().numpy(), tasks[0].logits
    known = np.ones((len(truth), len(MODALITIES)), np.bool_) if available is None else available
    rows = calibration_rows(known)
    scaled = _fit_scaling(logits, tuple(tasks), targets, rows)
    counts = {p: tuple(np.bincount(truth[rows[p]], minlength=classes).tolist()) for p in PATTERNS}
    curves: dict[str, Curve] = {}
    for pattern in PATTERNS:
        if min(counts[pattern]) >= CURVE_CASES_PER_CLASS:
            members = _members(scaled, logits, pattern, rows[pattern])
            chosen = choose_curve(members[..., :classes], truth[rows[pattern]])
            if chosen is not None:
                curves[pattern] = chosen
    sizes = {pattern: len(rows[pattern]) for pattern in PATTERNS}
    fitted = Calibrator(scaled.temperatures, scaled.shifts, sizes, counts, curves, tasks=scaled.tasks)
    return replace(fitted, checks=_compare(fitted, logits, truth, known))


def _fit_scaling(
    logits: Mapping[str, Tensor], tasks: tuple[TaskSpec, ...], targets: Mapping[str, Tensor], rows: Rows
) -> Calibrator:
    k = sum(task.logits for task in tasks)
    start = {"t0": (1, 1), "a": (len(PATTERNS), 1), "b": (1, k), "c": (len(PATTERNS), k)}
    parameters = {name: torch.zeros(shape, dtype=torch.float64, requires_grad=True) for name, shape in start.items()}
    counts = {pattern: len(rows[pattern]) for pattern in PATTERNS}

    def calibrator() -> Calibrator:
        log_temperature = parameters["t0"] + parameters["a"] + parameters["b"]  # [patterns, logits]
        return Calibrator(log_temperature.exp(), parameters["c"], counts, tasks=tasks)

    cases = len(targets[tasks[0].name])
    for at_most, iterations in ((ROUGH_CASES, ITERATIONS), (cases, FINE_ITERATIONS)):
        part = {p: torch.from_numpy(rows[p][:at_most]) for p in PATTERNS}
        shown = {p: logits[p][:, part[p]].double() for p in PATTERNS}
        truth = {p: {name: target[own] for name, target in targets.items()} for p, own in part.items()}
        _descend(calibrator, parameters, shown, truth, iterations)
    fitted = calibrator()
    return Calibrator(fitted.temperatures.detach(), fitted.shifts.detach(), counts, tasks=tasks)


def _descend(
    calibrator: Callable[[], Calibrator],
    parameters: Mapping[str, Tensor],
    logits: Mapping[str, Tensor],
    truth: Mapping[str, Mapping[str, Tensor]],
    iterations: int,
) -> None:
    """Move the parameters towards the least penalised loss; `truth`: pattern -> task -> targets of its cases."""
    optimizer = torch.optim.LBFGS(parameters.values(), max_iter=iterations, line_search_fn="strong_wolfe")

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
    calibrator: Calibrator, logits: Mapping[str, Tensor], truth: Mapping[str, Mapping[str, Tensor]]
) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for row, pattern in enumerate(PATTERNS):
        own = logits[pattern]
        parts = split_tasks(calibrator.tasks, calibrator.probabilities(own, torch.full((own.shape[1],), row)))
        for task in calibrator.tasks:
            if task.name in truth[pattern]:
                total = total - _log_likelihood(task, parts[task.name], truth[pattern][task.name]).sum()
    return total


def _log_likelihood(task: TaskSpec, probabilities: Tensor, target: Tensor) -> Tensor:
    """log p(target) of the cases whose target is known, [known]."""
    probabilities, target = probabilities[target != UNKNOWN], target[target != UNKNOWN]
    if task.kind == "binary":
        worse = probabilities[:, 0].clamp(TINY, 1 - TINY)
        return target * worse.log() + (1 - target) * (1 - worse).log()
    of_each = level_probabilities(probabilities) if task.kind == "ordinal" else probabilities
    return of_each.clamp(TINY, 1 - TINY)[torch.arange(len(target)), target.long()].log()


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
