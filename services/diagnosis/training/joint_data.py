"""Labelled cases with whatever modalities each has, in batches for training end to end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.diagnosis.case import CaseInput
from services.diagnosis.model.encoder import Inputs
from services.diagnosis.model.modalities import MODALITIES

Indices = NDArray[np.int64]
Feed = Callable[[Indices], Inputs]
Vary = Callable[[Inputs, torch.Generator], Inputs]
Prepare = Callable[[CaseInput], Mapping[str, Inputs]]


@dataclass(frozen=True)
class JointData:
    """Cases as feeds of inputs, one per modality, asked only for cases that have it."""

    feeds: Mapping[str, Feed]
    available: Tensor
    """[cases, modalities] bool, in the order of `MODALITIES`."""
    targets: Mapping[str, Tensor]
    """Task name -> [cases] or [cases, logits], -1 where unknown."""
    vary: Mapping[str, Vary] = field(default_factory=dict)
    """Augmentation and dropout of variables, words and stretches of time, by modality."""

    def __post_init__(self) -> None:
        if not bool(self.available.any(1).all()):
            raise ValueError("every case needs at least one modality")

    def __len__(self) -> int:
        return len(self.available)

    @classmethod
    def complete(cls, feeds: Mapping[str, Feed], targets: Mapping[str, Tensor], vary: Mapping[str, Vary]) -> JointData:
        """Cases that have every modality, such as those of a ward cohort."""
        cases = len(next(iter(targets.values())))
        return cls(feeds, torch.ones(cases, len(MODALITIES), dtype=torch.bool), targets, vary)

    @classmethod
    def of_cases(
        cls,
        cases: Sequence[CaseInput],
        targets: Mapping[str, Tensor],
        prepare: Prepare,
        vary: Mapping[str, Vary] | None = None,
    ) -> JointData:
        """Cases of any dataset. `prepare` gives the inputs, batches of one, of the modalities that a case has."""
        prepared = [prepare(case) for case in cases]
        available = torch.tensor([[name in inputs for name in MODALITIES] for inputs in prepared])
        feeds = {name: PreparedFeed(tuple(inputs.get(name) for inputs in prepared)) for name in MODALITIES}
        return cls(feeds, available, targets, vary or {})

    def batch(self, name: str, rows: Indices, rng: torch.Generator) -> Inputs:
        """Inputs of one modality, varied where it is to be varied. `rows`: cases that have it."""
        inputs = self.feeds[name](rows)
        return self.vary[name](inputs, rng) if name in self.vary else inputs


@dataclass(frozen=True)
class PreparedFeed:
    """Inputs of single cases, put together on demand; None where the modality is absent."""

    inputs: tuple[Inputs | None, ...]

    def __call__(self, rows: Indices) -> Inputs:
        """Stacked and filled up with zeros, which every encoder's mask hides.

        Raises: ValueError: a row without this modality.
        """
        chosen = [inputs for inputs in (self.inputs[row] for row in rows) if inputs is not None]
        if len(chosen) != len(rows):
            raise ValueError("a case without this modality was asked for it")
        return {key: _stack([inputs[key] for inputs in chosen]) for key in chosen[0]}


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Batches of one, of one rank and type -> one batch."""
    shape = [max(sizes) for sizes in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
    out = tensors[0].new_zeros((len(tensors), *shape))
    for row, tensor in enumerate(tensors):
        out[(row, *(slice(0, size) for size in tensor.shape[1:]))] = tensor[0]
    return out
