"""Perceptrons: one modality alone, early concatenation, and the naive zero imputation."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from services.diagnosis.evaluation.baselines.baseline import Shape
from services.diagnosis.evaluation.baselines.network import Batch, Network, Setting, Standardise, perceptron

FEWEST_COMPLETE = 64
"""With fewer complete cases than this, zero imputation learns from all of them."""


class Alone(Network):
    """One modality's vector through one hidden layer, like a head of our own fusion."""

    def __init__(self, shape: Shape, setting: Setting, modality: int) -> None:
        super().__init__()
        self.modality = modality
        self.standardise = Standardise(shape.modalities, shape.dim)
        self.head = perceptron(shape.dim, setting, shape.classes, layers=1)

    def forward(self, batch: Batch) -> Tensor:
        logits: Tensor = self.head(self.standardise(batch.pooled)[:, self.modality])
        return logits

    def loss(self, batch: Batch, labels: Tensor, rng: torch.Generator) -> Tensor:
        return functional.cross_entropy(self(batch), labels)

    def learns_from(self, available: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return available[:, self.modality]

    def is_asked(self, available: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return available[:, self.modality]


class EarlyConcatenation(Network):
    """All vectors side by side with the availability bits, absent ones at their mean; learns with modality dropout."""

    def __init__(self, shape: Shape, setting: Setting) -> None:
        super().__init__()
        self.standardise = Standardise(shape.modalities, shape.dim)
        self.joint = perceptron(shape.modalities * (shape.dim + 1), setting, shape.classes, layers=2)

    def forward(self, batch: Batch) -> Tensor:
        there = batch.available[..., None]
        known = torch.where(there, self.standardise(batch.pooled), 0.0)  # [batch, modalities, dim]
        logits: Tensor = self.joint(torch.cat([known, there.float()], dim=-1).flatten(1))
        return logits


class ZeroImputation(Network):
    """What is often done: learn from complete cases, then put zeros, as if measured, where a modality is absent."""

    def __init__(self, shape: Shape, setting: Setting) -> None:
        super().__init__()
        self.standardise = Standardise(shape.modalities, shape.dim)
        self.joint = perceptron(shape.modalities * shape.dim, setting, shape.classes, layers=2)

    def forward(self, batch: Batch) -> Tensor:
        filled = torch.where(batch.available[..., None], batch.pooled, 0.0)
        logits: Tensor = self.joint(self.standardise(filled).flatten(1))
        return logits

    def loss(self, batch: Batch, labels: Tensor, rng: torch.Generator) -> Tensor:
        return functional.cross_entropy(self(batch), labels)

    def learns_from(self, available: NDArray[np.bool_]) -> NDArray[np.bool_]:
        complete = np.asarray(available.all(axis=1))
        return np.asarray(complete | (complete.sum() < FEWEST_COMPLETE))

    def is_asked(self, available: NDArray[np.bool_]) -> NDArray[np.bool_]:
        complete = np.asarray(available.all(axis=1))
        return np.asarray(complete | ~complete.any())
