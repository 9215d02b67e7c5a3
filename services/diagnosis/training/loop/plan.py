"""How long and how fast one stage learns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The numbers of one stage; its name stands in checkpoints, metrics and errors."""

    stage: str
    epochs: int
    batch_size: int
    """Cases per step, over all processes together."""
    learning_rate: float
    """The peak of the cycle."""
    weight_decay: float
    warm_up: float = 0.1
    """Share of the steps before the peak."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    ema_share: float = 0.0
    """Mean age of the averaged weights, as a share of all steps; 0: the last weights are the result."""

    def steps_per_epoch(self, cases: int) -> int:
        """The incomplete last batch of an epoch is left out, unless it is the only one."""
        return max(1, cases // self.batch_size)

    def ema_decay(self, step: int, steps: int) -> float:
        """Weight of the old average at `step`; it grows from 0, so that the start is forgotten."""
        horizon = max(1.0, self.ema_share * steps)
        return min(1 - 1 / horizon, (1 + step) / (10 + step))

    def warm_up_share(self, steps: int) -> float:
        """Of `steps`, for OneCycleLR, which divides by zero where the warm-up is exactly one step."""
        warm = self.warm_up * steps
        return (warm + 0.5) / steps if abs(warm - 1) < 1e-9 else self.warm_up
