"""Integrated gradients (arXiv 1703.01365) and the bookkeeping that makes parts add up to their whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

STEPS = 8


def integrated_gradients(
    target: Callable[[Tensor], Tensor], value: Tensor, baseline: Tensor, *, steps: int = STEPS
) -> NDArray[np.float64]:
    """Attribution of each element of `value` to target(value) - target(baseline), by the midpoint rule.

    Args:
        target: [steps, ...] -> [steps]; it is asked about all steps in one batch.
        value, baseline: [...], one case.
    """
    alphas = (torch.arange(steps, dtype=value.dtype) + 0.5) / steps
    path = baseline + alphas.view(-1, *[1] * value.dim()) * (value - baseline)  # [steps, ...]
    path.requires_grad_(True)
    (gradient,) = torch.autograd.grad(target(path).sum(), path)
    attribution: NDArray[np.float64] = ((value - baseline) * gradient.mean(0)).detach().numpy().astype(np.float64)
    return attribution


def rescale_to(parts: NDArray[np.float64], whole: float) -> NDArray[np.float64]:
    """Parts that sum to `whole`: the residual is spread over them in proportion to their size.

    A plain factor would blow up where positive and negative parts nearly cancel.
    """
    size = np.abs(parts)
    total = size.sum()
    weights = size / total if total > 0 else np.full(parts.shape, 1 / max(1, parts.size))
    return np.asarray(parts + (whole - parts.sum()) * weights)
