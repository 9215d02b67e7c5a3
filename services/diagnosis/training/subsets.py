"""Modality dropout: which part of what is there a case is asked about."""

from __future__ import annotations

import torch
from torch import Tensor

from services.diagnosis.model.modalities import PATTERNS, mask_of


def sample_subsets(available: Tensor, rng: torch.Generator) -> Tensor:
    """One non-empty subset per case, uniform over all subsets of what it has: up to the loss of all but one modality.

    Args:
        available: [batch, modalities] bool, at least one True per row.
    """
    patterns = torch.tensor([mask_of(pattern) for pattern in PATTERNS])
    fits = ~(patterns[None] & ~available[:, None]).any(-1)  # [batch, patterns]
    drawn = torch.multinomial(fits.float(), 1, generator=rng)[:, 0]
    return patterns[drawn]
