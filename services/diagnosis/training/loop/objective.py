"""What a stage hands to the loop: a module that holds all that is trained, and its losses on some rows of its data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Indices = NDArray[np.int64]


@dataclass
class Losses:
    """Of one batch; every value is a scalar."""

    total: Tensor
    watched: Mapping[str, Tensor]
    """For the metrics, detached; the first is the one whose mean per epoch is the stage's history."""
    unimodal: Mapping[str, Tensor] = field(default_factory=dict)
    """Terms of `total` by modality, as weighted there: what gradient balancing weighs against the rest."""
    scores: Mapping[str, Tensor] = field(default_factory=dict)
    """Mean probability that each modality alone gives to the truth, for OGM."""


class Objective(nn.Module):
    """A model, its data and its loss. Its parameters are what the optimiser trains."""

    @property
    def cases(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def forward(self, rows: Indices, epoch: int, rng: torch.Generator) -> Losses:
        """The losses on `rows`; whatever is drawn at random comes from `rng` or from torch's own generator."""
        raise NotImplementedError

    def encoder_parameters(self) -> Mapping[str, list[nn.Parameter]]:
        """Modality -> what gradient balancing may touch."""
        return {}
