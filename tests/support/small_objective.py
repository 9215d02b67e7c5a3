"""A regression small enough to train in milliseconds, with both kinds of chance that a stage knows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.diagnosis.training.loop import Losses, Objective


class SmallObjective(Objective):
    """y = sum of x, seen through dropout (torch's own generator) and noise (the loop's)."""

    def __init__(self, *, cases: int = 40, seed: int = 0, chance: bool = True) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(7)
        self.x: Tensor = torch.randn(cases, 4, generator=draw)
        self.y = self.x.sum(1, keepdim=True)
        torch.manual_seed(seed)
        self.chance, self.forwards = chance, 0
        self.network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.2 if chance else 0.0), nn.Linear(8, 1))

    @property
    def cases(self) -> int:
        return len(self.x)

    def forward(self, rows: NDArray[np.int64], epoch: int, rng: torch.Generator) -> Losses:
        self.forwards += 1
        x = self.x[rows] + (0.1 * torch.randn(len(rows), 4, generator=rng) if self.chance else 0.0)
        self.seen = self.network[0](x)
        loss = (self.network(x).float() - self.y[rows]).square().mean()
        return Losses(loss, {"squared": loss.detach()})
