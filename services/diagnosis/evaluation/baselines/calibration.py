"""Temperatures and shifts per availability pattern for any baseline: the same model that calibrates our own fusion.

z / T_{S,k} + c_{S,k} with log T_{S,k} = t_0 + a_S + b_k, as in `inference.calibration`; fitted on the calibration
split with every case replayed under every pattern and the same shrinkage (`training.calibrate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from services.diagnosis.evaluation.baselines.features import Array, Rows
from services.diagnosis.training.calibrate import ITERATIONS, SHRINKAGE


@dataclass(frozen=True)
class PatternCalibration:
    """`temperatures` and `shifts` [2^modalities, classes]; row = sum of 2^m over the modalities at hand."""

    temperatures: Array
    shifts: Array

    @classmethod
    def none(cls, patterns: int, classes: int) -> PatternCalibration:
        return cls(np.ones((patterns, classes)), np.zeros((patterns, classes)))

    @classmethod
    def fit(cls, logits: Array, codes: Rows, labels: Rows, patterns: int) -> PatternCalibration:
        """Minimise the negative log-likelihood of the members' mean probability.

        Args:
            logits: [members, n, classes].
            codes: [n] pattern of each row; patterns without rows get what all share.
        """
        classes, target, code = logits.shape[-1], torch.from_numpy(labels), torch.from_numpy(codes)
        members = torch.from_numpy(logits).double()
        start = {"t0": (1, 1), "a": (patterns, 1), "b": (1, classes), "c": (patterns, classes)}
        parts = {name: torch.zeros(shape, dtype=torch.float64, requires_grad=True) for name, shape in start.items()}
        optimizer = torch.optim.LBFGS(parts.values(), max_iter=ITERATIONS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            temperatures = (parts["t0"] + parts["a"] + parts["b"]).exp()
            probabilities = _probabilities(members, temperatures[code], parts["c"][code])
            loss = -probabilities[torch.arange(len(target)), target].clamp_min(1e-9).log().sum()
            loss = loss + SHRINKAGE["pattern"] * parts["a"].square().sum()
            loss = loss + SHRINKAGE["class"] * parts["b"].square().sum()
            loss = loss + SHRINKAGE["shift"] * parts["c"].square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        temperatures = (parts["t0"] + parts["a"] + parts["b"]).exp().detach().numpy()
        return cls(temperatures, parts["c"].detach().numpy())

    def probabilities(self, logits: Array, codes: Rows) -> Array:
        """Member logits [members, n, classes] -> calibrated probabilities [n, classes]."""
        temperatures, shifts = torch.from_numpy(self.temperatures[codes]), torch.from_numpy(self.shifts[codes])
        answer: Array = _probabilities(torch.from_numpy(logits).double(), temperatures, shifts).numpy()
        return answer

    def to_json(self) -> dict[str, Any]:
        return {"temperatures": self.temperatures.tolist(), "shifts": self.shifts.tolist()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> PatternCalibration:
        return cls(np.array(value["temperatures"]), np.array(value["shifts"]))


def _probabilities(logits: Tensor, temperatures: Tensor, shifts: Tensor) -> Tensor:
    return (logits / temperatures + shifts).softmax(-1).mean(0)
