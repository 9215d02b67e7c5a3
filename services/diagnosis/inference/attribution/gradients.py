"""Integrated gradients (arXiv 1703.01365) to a tolerance, and the bookkeeping that makes parts add up to their whole.

The sum of exact attributions is the change of the target (completeness). That holds on every stretch of the path, and
the change over a stretch costs two values: so the error of each stretch is known, and only bad ones are halved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NODES = 4
"""Gauss-Legendre nodes per stretch: exact for polynomials up to degree 7."""
RELATIVE, ABSOLUTE = 0.005, 0.005
"""A sum may miss this share of the change, or so many log-odds, whichever is more."""
MOST_NODES = 96
"""The cap; what is then still missing is reported as the completeness error."""

Array = NDArray[np.float64]
Stretch = tuple[float, float]


@dataclass(frozen=True)
class Attribution:
    """Parts of one modality, and what they are parts of."""

    parts: Array
    """Any shape; their sum is the change, up to the completeness error."""
    change: float
    """target(value) - target(baseline)."""
    nodes: int = 0
    """Gradients that were computed."""

    @property
    def completeness_error(self) -> float:
        return abs(float(self.parts.sum()) - self.change)


@dataclass
class _Path:
    """The straight line from baseline to value, and the target where it was asked."""

    target: Callable[[Tensor], Tensor]
    baseline: Tensor
    step: Tensor
    levels: dict[float, float] = field(default_factory=dict)
    """Place on the path -> target there."""
    nodes: int = 0

    def integrate(self, stretches: list[Stretch]) -> list[Array]:
        """Attributions of each stretch, all in one batch; the target at their ends is learned on the way."""
        points, weights = np.polynomial.legendre.leggauss(NODES)
        inner = [a + (b - a) * (x + 1) / 2 for a, b in stretches for x in points]
        ends = sorted({end for stretch in stretches for end in stretch} - self.levels.keys())
        self.nodes += len(inner)
        places = torch.tensor([*inner, *ends], dtype=self.step.dtype).view(-1, *[1] * self.step.dim())
        path = (self.baseline + places * self.step).requires_grad_(True)
        answers = self.target(path)
        (gradient,) = torch.autograd.grad(answers[: len(inner)].sum(), path)
        self.levels |= dict(zip(ends, answers[len(inner) :].tolist(), strict=True))
        slopes = gradient[: len(inner)].double().reshape(len(stretches), NODES, -1)
        width = torch.tensor([b - a for a, b in stretches], dtype=torch.float64)[:, None]
        means = torch.einsum("snk,n->sk", slopes, torch.from_numpy(weights / 2)) * width
        return list((means.reshape(-1, *self.step.shape) * self.step.double()).numpy())

    def change(self, stretch: Stretch) -> float:
        return self.levels[stretch[1]] - self.levels[stretch[0]]


def integrated_gradients(
    target: Callable[[Tensor], Tensor], value: Tensor, baseline: Tensor, *, most_nodes: int = MOST_NODES
) -> Attribution:
    """Attribution of each element of `value` to target(value) - target(baseline).

    Args:
        target: [batch, ...] -> [batch]; asked about all nodes of a round in one batch.
        value, baseline: [...], one case.
    """
    path = _Path(target, baseline, value - baseline)
    total: Array = np.zeros(tuple(value.shape))
    pending: list[Stretch] = [(0.0, 0.5), (0.5, 1.0)]
    while pending:
        found = list(zip(pending, path.integrate(pending), strict=True))
        tolerance = max(ABSOLUTE, RELATIVE * abs(path.change((0.0, 1.0))))
        room = path.nodes
        pending = []
        for (a, b), parts in found:
            error = abs(float(parts.sum()) - path.change((a, b)))
            if error > tolerance * (b - a) and room + 2 * NODES <= most_nodes:
                room += 2 * NODES
                pending += [(a, (a + b) / 2), ((a + b) / 2, b)]
            else:
                total += parts
    return Attribution(total, path.change((0.0, 1.0)), path.nodes)


def rescale_to(parts: Array, whole: float) -> Array:
    """Parts that sum to `whole`: the residual is spread over them in proportion to their size.

    A plain factor would blow up where positive and negative parts nearly cancel.
    """
    size = np.abs(parts)
    total = size.sum()
    weights = size / total if total > 0 else np.full(parts.shape, 1 / max(1, parts.size))
    return np.asarray(parts + (whole - parts.sum()) * weights)
