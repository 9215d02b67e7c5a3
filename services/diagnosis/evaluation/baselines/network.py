"""What the baselines' networks have in common: standardised inputs, a loss under sampled availability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.evaluation.baselines.features import Features

CLIP = 8.0
"""Standard deviations; beyond are errors of measurement."""


@dataclass(frozen=True)
class Setting:
    """What is chosen per network, from the same grid for all."""

    hidden: int
    learning_rate: float
    dropout: float


GRID = (Setting(32, 3e-3, 0.1), Setting(48, 3e-3, 0.3), Setting(48, 1e-3, 0.3))


@dataclass(frozen=True)
class Batch:
    """Some cases as tensors."""

    pooled: Tensor
    """[batch, modalities, dim]"""
    tokens: Tensor | None
    """[batch, modalities, tokens, dim]"""
    available: Tensor
    """[batch, modalities]"""

    @classmethod
    def of(cls, features: Features) -> Batch:
        available = torch.from_numpy(features.available)
        if features.tokens is None:
            return cls(torch.from_numpy(features.pooled), None, available)
        tokens = torch.where(available[..., None, None], torch.from_numpy(features.tokens), 0.0)
        return cls(torch.from_numpy(features.pooled), tokens, available)

    def take(self, rows: Tensor) -> Batch:
        return Batch(self.pooled[rows], None if self.tokens is None else self.tokens[rows], self.available[rows])

    def under(self, available: Tensor) -> Batch:
        return Batch(self.pooled, self.tokens, available)


class Standardise(nn.Module):
    """Zero mean and unit deviation per entry over the cases that hold it; unknown entries get the mean."""

    def __init__(self, modalities: int, dim: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(modalities, dim))
        self.register_buffer("deviation", torch.ones(modalities, dim))

    def fit(self, pooled: Tensor, available: Tensor) -> None:
        """Statistics of the training cases."""
        known = torch.where(available[..., None], pooled, torch.nan).double()
        mean = known.nanmean(0).nan_to_num(0.0)
        deviation = (known - mean).square().nanmean(0).sqrt().nan_to_num(0.0)
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, 1.0))

    def forward(self, pooled: Tensor) -> Tensor:
        return ((pooled - self.mean) / self.deviation).nan_to_num(0.0).clamp(-CLIP, CLIP)


class Network(nn.Module):
    """A network over whatever is available."""

    standardise: Standardise

    def forward(self, batch: Batch) -> Tensor:
        """Logits [batch, classes]."""
        raise NotImplementedError

    def loss(self, batch: Batch, labels: Tensor, rng: torch.Generator) -> Tensor:
        """Cross-entropy; half of the cases lose a random subset of their modalities (ModDrop, arXiv 1501.00102)."""
        return functional.cross_entropy(self(batch.under(thin(batch.available, rng))), labels)

    def learns_from(self, available: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """[n] which training cases it uses."""
        return np.ones(len(available), np.bool_)

    def is_asked(self, available: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """[n] which held-out cases and patterns choose its setting."""
        return np.ones(len(available), np.bool_)


def thin(available: Tensor, rng: torch.Generator) -> Tensor:
    """Half of the rows as they are, of the others a random non-empty subset."""
    kept = available & (torch.rand(available.shape, generator=rng) < 0.5)
    whole = torch.rand(len(available), 1, generator=rng) < 0.5
    return torch.where(whole | ~kept.any(1, keepdim=True), available, kept)


def perceptron(inputs: int, setting: Setting, outputs: int, *, layers: int) -> nn.Sequential:
    """`layers` hidden layers of the setting's width."""
    parts: list[nn.Module] = []
    width = inputs
    for _ in range(layers):
        parts += [nn.Linear(width, setting.hidden), nn.GELU(), nn.Dropout(setting.dropout)]
        width = setting.hidden
    return nn.Sequential(*parts, nn.Linear(width, outputs))
