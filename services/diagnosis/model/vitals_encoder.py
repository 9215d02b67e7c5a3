"""Vitals encoder: continuous time, no resampling. Latent queries attend to irregular readings, with a recency bias.

A reading is a triplet (time, variable, value), as in STraTS (arXiv 2107.14293), with past-only differences. Query q
scores reading i at the case time t = 0 as  s_qi - lambda_q * (0 - t_i)  with lambda_q > 0; a null key of score b_q
takes the weight when everything is old, so that stale data count for less by themselves.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.model.attention import AttentionBlock
from services.diagnosis.model.config import ModelConfig, VitalsConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions, TokenPooler

READING_FEATURES = 5
"""value, change since the last reading of the variable, that gap, its absence, age of the reading."""


class VitalsEncoder(Encoder):
    """Readings [batch, readings] -> tokens; the order of readings does not matter."""

    def __init__(self, dim: int, tokens: int, config: VitalsConfig) -> None:
        super().__init__()
        self.config = config
        self.variable = nn.Embedding(config.variables, dim)
        self.reading = nn.Sequential(
            nn.Linear(READING_FEATURES + 2 * config.frequencies + dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
        )
        self.attention = RecencyAttention(dim, config)
        self.mix = AttentionBlock(dim, config.heads, 2 * dim)
        self.pooler = TokenPooler(dim, tokens)

    def positions(self, inputs: Inputs) -> Positions:
        """`readings` [batch, n, 5], `times_h` [batch, n] <= 0, `variables` [batch, n], `mask` [batch, n]."""
        waves = inputs["times_h"][..., None] * _frequencies(self.config.frequencies).to(inputs["times_h"])
        parts = [inputs["readings"], waves.sin(), waves.cos(), self.variable(inputs["variables"])]
        features = self.reading(torch.cat(parts, dim=-1))  # [batch, n, dim]
        # The time rides along as a last column, because attention needs it and attributions must not touch it.
        return Positions(torch.cat([features, inputs["times_h"][..., None]], dim=-1), inputs["mask"])

    def pool(self, positions: Positions) -> Encoded:
        features, times_h = positions.features[..., :-1], positions.features[..., -1]
        latents = self.mix(self.attention(features, times_h, positions.mask))  # [batch, queries, dim]
        every = torch.ones(latents.shape[:2], dtype=torch.bool, device=latents.device)
        encoded: Encoded = self.pooler(latents, every)
        return encoded


class RecencyAttention(nn.Module):
    """Latent queries over readings; the cost is readings x queries."""

    def __init__(self, dim: int, config: VitalsConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.queries = nn.Parameter(torch.randn(config.queries, dim) * dim**-0.5)
        half_lives = torch.tensor([config.half_lives_h[i % len(config.half_lives_h)] for i in range(config.queries)])
        self.decay = nn.Parameter(torch.log(torch.expm1(math.log(2) / half_lives)))  # softplus gives ln 2 / half-life
        self.null_score = nn.Parameter(torch.full((config.queries,), -2.0))
        self.norm = nn.LayerNorm(dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, features: Tensor, times_h: Tensor, mask: Tensor) -> Tensor:
        batch, readings, dim = features.shape
        keys, values = self.key_value(self.norm(features)).chunk(2, dim=-1)
        keys = keys.view(batch, readings, self.heads, -1).transpose(1, 2)  # [batch, heads, n, dim/heads]
        values = values.view(batch, readings, self.heads, -1).transpose(1, 2)
        queries = self.queries.view(1, -1, self.heads, dim // self.heads).transpose(1, 2)
        scores = queries @ keys.transpose(-1, -2) * (dim // self.heads) ** -0.5  # [batch, heads, queries, n]
        scores = scores + functional.softplus(self.decay)[None, None, :, None] * times_h[:, None, None, :]
        scores = scores.masked_fill(~mask[:, None, None], torch.finfo(scores.dtype).min)
        null = self.null_score[None, None, :, None].expand(batch, self.heads, -1, 1)
        weights = torch.cat([scores, null], dim=-1).softmax(-1)[..., :-1]  # the null key's value is zero
        gathered = (weights @ values).transpose(1, 2).reshape(batch, -1, dim)  # [batch, queries, dim]
        latents: Tensor = self.out(gathered) + self.queries
        return latents


def _frequencies(count: int) -> Tensor:
    """Radians per hour: periods of 96, 48, 24, ... hours, the circadian one among them."""
    return 2 * math.pi / 96 * 2.0 ** torch.arange(count, dtype=torch.float32)


def build(config: ModelConfig) -> VitalsEncoder:
    return VitalsEncoder(config.dim, config.tokens, config.vitals)
