"""Stage C: temperatures and shifts per availability pattern, every calibration case replayed under every pattern."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.model.config import count_logits
from services.diagnosis.model.modalities import PATTERNS
from services.diagnosis.training.pretrain import CLASSES

SHRINKAGE = {"pattern": 2.0, "class": 2.0, "shift": 4.0}
"""L2 penalties in units of one case's log-likelihood: a pattern of few cases leans on what all patterns share."""
ITERATIONS = 60


def fit_calibrator(logits: Mapping[str, Tensor], labels: Tensor, deterioration: Tensor) -> Calibrator:
    """Minimise the negative log-likelihood of the ensemble's mean probability.

    Args:
        logits: pattern -> member logits [members, n, logits] of the calibration split.
    """
    k = count_logits()
    start = {"t0": (1, 1), "a": (len(PATTERNS), 1), "b": (1, k), "c": (len(PATTERNS), k)}
    parameters = {name: torch.zeros(shape, dtype=torch.float64, requires_grad=True) for name, shape in start.items()}
    counts = {pattern: len(labels) for pattern in PATTERNS}
    wide = {pattern: value.double() for pattern, value in logits.items()}

    def calibrator() -> Calibrator:
        log_temperature = parameters["t0"] + parameters["a"] + parameters["b"]  # [patterns, logits]
        return Calibrator(log_temperature.exp(), parameters["c"], counts)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = _negative_log_likelihood(calibrator(), wide, labels, deterioration)
        loss = loss + SHRINKAGE["pattern"] * parameters["a"].square().sum()
        loss = loss + SHRINKAGE["class"] * parameters["b"].square().sum()
        loss = loss + SHRINKAGE["shift"] * parameters["c"].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer = torch.optim.LBFGS(parameters.values(), max_iter=ITERATIONS, line_search_fn="strong_wolfe")
    optimizer.step(closure)  # type: ignore[no-untyped-call]
    fitted = calibrator()
    return Calibrator(fitted.temperatures.detach(), fitted.shifts.detach(), counts)


def _negative_log_likelihood(
    calibrator: Calibrator, logits: Mapping[str, Tensor], labels: Tensor, deterioration: Tensor
) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for row, pattern in enumerate(PATTERNS):
        probabilities = calibrator.probabilities(logits[pattern], torch.full((len(labels),), row))
        probabilities = probabilities.clamp(1e-9, 1 - 1e-9)
        worse = probabilities[:, CLASSES]
        total = total - probabilities[torch.arange(len(labels)), labels].log().sum()
        total = total - (deterioration * worse.log() + (1 - deterioration) * (1 - worse).log()).sum()
    return total
