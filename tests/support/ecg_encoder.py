"""The one file of a fifth modality: a single-lead ECG of ten seconds. Of docs/how-to/add-a-modality.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions, TokenPooler

RATE_HZ, SECONDS = 100, 10


def prepare(samples: NDArray[np.float32]) -> tuple[Inputs, NDArray[np.float64], dict[str, Any], str | None]:
    """What serving calls: millivolts [samples] -> inputs of one case, statistics, quality, and why it is refused."""
    quality = {"seconds": round(len(samples) / RATE_HZ, 2)}
    if len(samples) < RATE_HZ or not np.isfinite(samples).all():
        return {}, np.zeros(0), quality, "less than a second of ECG"
    trace = torch.from_numpy(np.asarray(samples[: RATE_HZ * SECONDS], np.float32))[None]
    return {"trace": trace}, np.array([float(samples.mean()), float(samples.std())]), quality, None


class EcgEncoder(Encoder):
    """Strided convolutions over the trace, then the pooler that every encoder uses."""

    def __init__(self, dim: int, tokens: int) -> None:
        super().__init__()
        self.beats = nn.Sequential(nn.Conv1d(1, 16, 15, 5, 7), nn.GELU(), nn.Conv1d(16, dim, 15, 5, 7))
        self.pooler = TokenPooler(dim, tokens)

    def positions(self, inputs: Inputs) -> Positions:
        """`trace` [batch, samples], millivolts."""
        features = self.beats(inputs["trace"][:, None]).transpose(1, 2)  # [batch, samples / 25, dim]
        return Positions(features, torch.ones(features.shape[:2], dtype=torch.bool))

    def pool(self, positions: Positions) -> Encoded:
        encoded: Encoded = self.pooler(positions.features, positions.mask)
        return encoded


def build(config: ModelConfig) -> EcgEncoder:
    return EcgEncoder(config.dim, config.tokens)
