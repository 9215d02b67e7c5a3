"""Integrated gradients (arXiv 1703.01365) to a tolerance, and the bookkeeping that makes parts add up to their whole.

The sum of exact attributions is the change of the target (completeness). That holds on every stretch of the path, and
the change over a stretch costs two values: so the error of each stretch is known, and only the worst are halved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NODES = 5
"""Gauss-Legendre nodes per stretch: exact for polynomials up to degree 9."""
STRETCHES = 4
"""To begin with. A round costs little more for many nodes than for few, so that most paths are done after one."""
RELATIVE, ABSOLUTE = 0.005, 0.005
"""The errors of all stretches together may be this share of the change, or so many log-odds, whichever is more."""
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


@dataclass(frozen=True)
class _Piece:
    """What one stretch of the path contributes."""

    stretch: Stretch
    parts: Array
    error: float
    """Of the sum of the parts, in log-odds."""


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

    def piece(self, stretch: Stretch, parts: Array) -> _Piece:
        return _Piece(stretch, parts, abs(float(parts.sum()) - self.change(stretch)))

    def change(self, stretch: Stretch) -> float:
        return self.levels[stretch[1]] - self.levels[stretch[0]]


def integrated_gradients(
    target: Callable[[Tensor], Tensor],
    value: Tensor,
    baseline: Tensor,
    *,
    most_nodes: int = MOST_NODES,
    stretches: int = STRETCHES,
) -> Attribution:
    """Attribution of each element of `value` to target(value) - target(baseline).

    Args:
        target: [batch, ...] -> [batch]; asked about all nodes of a round in one batch.
        value, baseline: [...], one case.
        stretches: to begin with; fewer are enough where the path is known to be short.
    """
    path = _Path(target, baseline, value - baseline)
    edges = np.linspace(0, 1, stretches + 1).tolist()
    pending: list[Stretch] = list(pairwise(edges))
    done: list[_Piece] = []
    while pending:
        done += [path.piece(stretch, parts) for stretch, parts in zip(pending, path.integrate(pending), strict=True)]
        tolerance = max(ABSOLUTE, RELATIVE * abs(path.change((0.0, 1.0))))
        done, pending = _halve_the_worst(done, tolerance, room=most_nodes - path.nodes)
    parts: Array = np.sum([piece.parts for piece in done], axis=0)
    return Attribution(parts, path.change((0.0, 1.0)), path.nodes)


def _halve_the_worst(pieces: list[_Piece], tolerance: float, *, room: int) -> tuple[list[_Piece], list[Stretch]]:
    """The pieces to keep and the stretches to ask about anew: none where all errors together are tolerated.

    Args: room: nodes that may still be spent.
    """
    ordered = sorted(pieces, key=lambda piece: -piece.error)
    left = sum(piece.error for piece in ordered)
    if left <= tolerance:
        return ordered, []
    halves: list[Stretch] = []
    worst = 0
    # What the halves will still miss is not known yet: so half of the tolerance is left to them.
    while left > tolerance / 2 and NODES * (len(halves) + 2) <= room:
        a, b = ordered[worst].stretch
        halves += [(a, (a + b) / 2), ((a + b) / 2, b)]
        left -= ordered[worst].error
        worst += 1
    return ordered[worst:], halves


def rescale_to(parts: Array, whole: float) -> Array:
    """Parts that sum to `whole`: the residual is spread over them in proportion to their size.

    A plain factor would blow up where positive and negative parts nearly cancel.
    """
    size = np.abs(parts)
    total = size.sum()
    weights = size / total if total > 0 else np.full(parts.shape, 1 / max(1, parts.size))
    return np.asarray(parts + (whole - parts.sum()) * weights)
