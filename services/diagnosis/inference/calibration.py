"""Calibration per availability pattern, applied: from member logits to probabilities that mean what they say.

Each logit is divided by T_{S,k} = exp(t_0 + a_S + b_k) and shifted by c_{S,k} (S the pattern, k the class); then
softmax or sigmoid per member, then the mean over the members. `training.calibrate` fits the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from services.diagnosis.model.modalities import PATTERNS


@dataclass(frozen=True)
class Calibrator:
    """`temperatures` and `shifts` [patterns, logits], float64; `counts`: calibration cases per pattern."""

    temperatures: Tensor
    shifts: Tensor
    counts: Mapping[str, int]
    binary: int = 1
    """How many of the last logits are yes-or-no questions; the ones before are diagnoses that exclude one another."""

    def member_probabilities(self, logits: Tensor, patterns: Tensor) -> Tensor:
        """Member logits [members, batch, logits] and pattern indices [batch] -> probabilities of the same shape."""
        scaled = logits.to(self.temperatures.dtype) / self.temperatures[patterns] + self.shifts[patterns]
        classes = scaled.shape[-1] - self.binary
        return torch.cat([scaled[..., :classes].softmax(-1), scaled[..., classes:].sigmoid()], dim=-1)

    def probabilities(self, logits: Tensor, patterns: Tensor) -> Tensor:
        """The ensemble's calibrated probabilities [batch, logits]."""
        return self.member_probabilities(logits, patterns).mean(0)

    def to_json(self) -> dict[str, Any]:
        return {
            pattern: {
                "temperatures": self.temperatures[index].tolist(),
                "shifts": self.shifts[index].tolist(),
                "n": self.counts[pattern],
                "binary": self.binary,
            }
            for index, pattern in enumerate(PATTERNS)
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibrator:
        """Raises: KeyError: a pattern without calibration."""
        rows = [value[pattern] for pattern in PATTERNS]
        return cls(
            torch.tensor([row["temperatures"] for row in rows], dtype=torch.float64),
            torch.tensor([row["shifts"] for row in rows], dtype=torch.float64),
            {pattern: int(row["n"]) for pattern, row in zip(PATTERNS, rows, strict=True)},
            int(rows[0].get("binary", 1)),
        )
