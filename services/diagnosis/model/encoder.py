"""What every encoder is: inputs of one modality in, masked positions, then a few tokens and one pooled vector out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

Inputs = dict[str, Tensor]
"""Named tensors of one modality; the first axis is the case."""


LEAST_DEVIATION = 0.01
"""What was constant before training may vary in it, and must not count a thousandfold then."""


@dataclass
class Positions:
    """What an encoder saw, place by place: grid cells, word pieces or readings."""

    features: Tensor
    """[batch, positions, dim]"""
    mask: Tensor
    """[batch, positions]; True where there is something."""


@dataclass
class Encoded:
    """One modality of a batch of cases."""

    tokens: Tensor
    """[batch, tokens, dim]"""
    pooled: Tensor
    """[batch, dim]"""


class Encoder(nn.Module):
    """The interface of all encoders. `pool(positions(inputs))` is the whole of it; explanations step in between."""

    def positions(self, inputs: Inputs) -> Positions:
        raise NotImplementedError

    def pool(self, positions: Positions) -> Encoded:
        raise NotImplementedError

    def forward(self, inputs: Inputs) -> Encoded:
        return self.pool(self.positions(inputs))

    def settle(self, inputs: Inputs) -> None:
        """Once, before training, on some of its cases: fit what no gradient fits. Most encoders have nothing such."""


class Standard(nn.Module):
    """Centred and scaled by what was seen before training, so that what varies little is as easy to learn from.

    Buffers, not batch statistics: an answer does not depend on what else is in the batch.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("deviation", torch.ones(shape))

    def fit(self, values: Tensor, least: float = LEAST_DEVIATION) -> None:
        """`values` [cases, *shape]; what varies less than `least` is taken to vary by it."""
        self.mean.copy_(values.mean(0))
        self.deviation.copy_(values.std(0).clamp_min(least))

    def forward(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.deviation


class TokenPooler(nn.Module):
    """Learned queries gather any number of positions into a fixed number of tokens (Perceiver, arXiv 2103.03206)."""

    def __init__(self, dim: int, tokens: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Parameter(torch.randn(tokens, dim) * dim**-0.5)
        self.norm = nn.LayerNorm(dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.pooled = nn.Sequential(nn.Linear(tokens * dim, dim), nn.GELU(), nn.Linear(dim, dim))

    def forward(self, features: Tensor, mask: Tensor) -> Encoded:
        batch, positions, dim = features.shape
        keys, values = self.key_value(self.norm(features)).chunk(2, dim=-1)  # [batch, positions, dim]
        keys = keys.view(batch, positions, self.heads, -1).transpose(1, 2)  # [batch, heads, positions, dim/heads]
        values = values.view(batch, positions, self.heads, -1).transpose(1, 2)
        queries = self.queries.view(1, -1, self.heads, dim // self.heads).transpose(1, 2)
        scores = queries @ keys.transpose(-1, -2) * (dim // self.heads) ** -0.5  # [batch, heads, tokens, positions]
        scores = scores.masked_fill(~mask[:, None, None], torch.finfo(scores.dtype).min)
        tokens = (scores.softmax(-1) @ values).transpose(1, 2).reshape(batch, -1, dim)  # [batch, tokens, dim]
        tokens = self.out(tokens)
        return Encoded(tokens, self.pooled(tokens.flatten(1)))
