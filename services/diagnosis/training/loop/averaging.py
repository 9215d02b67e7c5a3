"""Exponential moving average of the weights (Polyak & Juditsky 1992; arXiv 1803.05407 for why it generalises)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """A shadow of the parameters. It holds no module, because a module would bring a copy of its data."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self.shadow: list[Tensor] = [parameter.detach().clone() for parameter in parameters]

    def update(self, decay: float) -> None:
        """shadow = decay * shadow + (1 - decay) * parameters."""
        average = get_ema_multi_avg_fn(decay)
        with torch.no_grad():
            average(self.shadow, [parameter.detach() for parameter in self._parameters], 1)  # type: ignore[no-untyped-call]

    def load(self, shadow: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for own, other in zip(self.shadow, shadow, strict=True):
                own.copy_(other)

    def take_over(self) -> None:
        """The parameters become their average."""
        with torch.no_grad():
            for parameter, average in zip(self._parameters, self.shadow, strict=True):
                parameter.copy_(average)
