"""Fusion whose output is an auditable sum of log-odds.

For class k and the set S of modalities at hand:  z_k = b_k + sum_{m in S} g_mk z_mk + beta_k(S) z_k^joint,  with the
class-wise gate g = |S| softmax over S and beta = 0 where S holds one modality: then the model IS that modality's head.
A gate of ones is the sum of log-odds that is right where modalities are independent given the class; the gate learns
what is redundant (after DrFuse, arXiv 2403.06197, whose gate sums to 1; decision 0088). The joint term sees what no sum
can: bottleneck latents (arXiv 2107.00135) that attend to the tokens of S, and products of two modalities at a time
(low-rank bilinear pooling, arXiv 1610.04325).

Beside each head stands an untrained opinion, another in every member of the ensemble: where there were cases to learn
from, the heads learn to correct it and the members agree; far from all of them nothing corrects it, and they disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.model.attention import AttentionBlock
from services.diagnosis.model.config import FusionConfig
from services.diagnosis.model.encoder import LEAST_DEVIATION, Standard

MODES = ("early", "late", "hybrid")
PRIOR_HIDDEN, PRIOR_GAIN = 32, 1.5
"""Width of an untrained opinion; its weights, in deviations that keep what goes through a layer as large as it came."""


@dataclass
class Fused:
    """Logits and the parts they are the sum of."""

    logits: Tensor
    """[batch, logits]"""
    unimodal: Tensor
    """[batch, modalities, logits]; the heads alone, meaningless where the modality is absent."""
    gate: Tensor
    """[batch, modalities, logits]; zero where absent, sums to |S| (`early`: all 0; `late`: all 1 over S)."""
    joint: Tensor
    """[batch, logits]; already weighted by beta."""


class FusionMember(nn.Module):
    """One member of the ensemble: heads, gate and trunk."""

    def __init__(self, config: FusionConfig, *, dim: int, tokens: int, modalities: int, logits: int) -> None:
        super().__init__()
        if config.mode not in MODES:
            raise ValueError(f"fusion mode {config.mode!r}; known: {', '.join(MODES)}")
        self.mode = config.mode
        self.bias = nn.Parameter(torch.zeros(logits))
        self.heads = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, config.hidden), nn.GELU(), nn.Linear(config.hidden, logits))
            for _ in range(modalities)
        )
        priors = Priors(config.prior_scale, dim=dim, modalities=modalities, logits=logits)
        self.priors = priors if config.prior_scale else None
        self.gate = Gate(config.hidden, dim=dim, modalities=modalities, logits=logits)
        self.trunk = Trunk(config, dim=dim, tokens=tokens, modalities=modalities, logits=logits)
        self.beta = nn.Parameter(torch.ones(2**modalities, logits))

    def forward(self, tokens: Tensor, pooled: Tensor, available: Tensor) -> Fused:
        """Fuse `tokens` [batch, modalities, n, dim] and `pooled` [batch, modalities, dim] where `available` is True.

        Raises: ValueError: a row without any modality.
        """
        if not bool(available.any(1).all()):
            raise ValueError("every case needs at least one modality")
        unimodal = torch.stack([head(pooled[:, m]) for m, head in enumerate(self.heads)], dim=1)
        if self.priors is not None:
            unimodal = unimodal + self.priors(pooled)
        gate = self._gate(pooled, available)  # [batch, modalities, logits]
        joint = self._joint(tokens, available)  # [batch, logits]
        heard = torch.where(available[..., None], unimodal, 0.0)
        return Fused(self.bias + (gate * heard).sum(1) + joint, unimodal, gate, joint)

    def settle(self, pooled: Tensor, available: Tensor) -> None:
        """Once, before training, on its cases: fit what no gradient fits. As `forward` takes them."""
        if self.priors is not None:
            self.priors.settle(pooled, available)

    def _gate(self, pooled: Tensor, available: Tensor) -> Tensor:
        if self.mode == "hybrid":
            gate: Tensor = self.gate(pooled, available)
            return gate
        even = available if self.mode == "late" else torch.zeros_like(available)
        return even[..., None].expand(-1, -1, len(self.bias)).to(pooled.dtype)

    def _joint(self, tokens: Tensor, available: Tensor) -> Tensor:
        if self.mode == "late":
            return tokens.new_zeros(tokens.shape[0], len(self.bias))
        code = (available.long() * 2 ** torch.arange(available.shape[1], device=available.device)).sum(1)
        several = available.sum(1, keepdim=True) > (0 if self.mode == "early" else 1)
        joint: Tensor = self.trunk(tokens, available) * self.beta[code] * several
        return joint


def silence(layers: nn.Sequential) -> None:
    """Let what ends in a linear layer begin with zeros."""
    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)


class Priors(nn.Module):
    """Randomised prior functions (arXiv 1806.03335): one hidden layer for each modality that is never trained.

    Buffers, so that no optimiser finds them. Not normalised by case, unlike the heads: how far a case lies from all
    others is just what they are to see.
    """

    first: Tensor
    shift: Tensor
    second: Tensor

    def __init__(self, scale: float, *, dim: int, modalities: int, logits: int) -> None:
        super().__init__()
        self.scale = scale
        self.standard = Standard(modalities, dim)
        self.register_buffer("first", _drawn(modalities, dim, PRIOR_HIDDEN))
        self.register_buffer("shift", torch.randn(modalities, PRIOR_HIDDEN) * 0.5)
        self.register_buffer("second", _drawn(modalities, PRIOR_HIDDEN, logits))

    def settle(self, pooled: Tensor, available: Tensor) -> None:
        """The scale of each modality, from the cases that hold it."""
        for m in range(pooled.shape[1]):
            own = pooled[available[:, m], m]
            if len(own) > 1:
                self.standard.mean[m].copy_(own.mean(0))
                self.standard.deviation[m].copy_(own.std(0).clamp_min(LEAST_DEVIATION))

    def forward(self, pooled: Tensor) -> Tensor:
        """[batch, modalities, dim] -> [batch, modalities, logits]."""
        hidden = functional.gelu(torch.einsum("bmd,mdh->bmh", self.standard(pooled), self.first) + self.shift)
        logits: Tensor = self.scale * torch.einsum("bmh,mhl->bml", hidden, self.second)
        return logits


def _drawn(modalities: int, entering: int, leaving: int) -> Tensor:
    weights: Tensor = torch.randn(modalities, entering, leaving) * PRIOR_GAIN * entering**-0.5
    return weights


class Gate(nn.Module):
    """How much each head counts for each class, given who is there and what they say."""

    def __init__(self, hidden: int, *, dim: int, modalities: int, logits: int) -> None:
        super().__init__()
        self.missing = nn.Parameter(torch.zeros(modalities, dim))
        self.scores = nn.Sequential(
            nn.LayerNorm(modalities * dim),
            nn.Linear(modalities * dim, hidden),
            nn.GELU(),
            nn.Linear(hidden, modalities * logits),
        )
        silence(self.scores)  # an even gate to begin with: the plain sum of log-odds

    def forward(self, pooled: Tensor, available: Tensor) -> Tensor:
        known = torch.where(available[..., None], pooled, self.missing)
        scores = self.scores(known.flatten(1)).unflatten(-1, (pooled.shape[1], -1))  # [batch, modalities, logits]
        shares = scores.masked_fill(~available[..., None], float("-inf")).softmax(1)
        gate: Tensor = shares * available.sum(1)[:, None, None]
        return gate


class Trunk(nn.Module):
    """What several modalities say together."""

    def __init__(self, config: FusionConfig, *, dim: int, tokens: int, modalities: int, logits: int) -> None:
        super().__init__()
        self.token_norm = nn.LayerNorm(dim)
        self.modality = nn.Parameter(torch.randn(modalities, 1, dim) * 0.1)
        self.latents = nn.Parameter(torch.randn(config.latents, dim) * 0.1)
        self.blocks = nn.ModuleList(
            AttentionBlock(dim, config.heads, config.hidden, config.dropout) for _ in range(config.blocks)
        )
        self.factors = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(tokens * dim), nn.Linear(tokens * dim, config.rank)) for _ in range(modalities)
        )
        self.pairs = tuple(combinations(range(modalities), 2))
        width = config.latents * dim + len(self.pairs) * config.rank
        self.out = nn.Sequential(
            nn.LayerNorm(width), nn.Dropout(config.dropout), nn.Linear(width, config.hidden), nn.GELU(),
            nn.Linear(config.hidden, logits),
        )  # fmt: skip
        silence(self.out)

    def forward(self, tokens: Tensor, available: Tensor) -> Tensor:
        context = (self.token_norm(tokens) + self.modality).flatten(1, 2)  # [batch, modalities * n, dim]
        mask = available.repeat_interleave(tokens.shape[2], dim=1)
        latents = self.latents.expand(tokens.shape[0], -1, -1)
        for block in self.blocks:
            latents = block(latents, context, mask)
        logits: Tensor = self.out(torch.cat([latents.flatten(1), self._products(tokens, available)], dim=1))
        return logits

    def _products(self, tokens: Tensor, available: Tensor) -> Tensor:
        """[batch, pairs * rank]: zero where one of the two is absent."""
        factors = torch.stack([factor(tokens[:, m].flatten(1)) for m, factor in enumerate(self.factors)], dim=1)
        factors = torch.where(available[..., None], factors.tanh(), 0.0)  # [batch, modalities, rank]
        return torch.cat([factors[:, first] * factors[:, second] for first, second in self.pairs], dim=1)


class FusionEnsemble(nn.Module):
    """Independent members over the same tokens; their disagreement is the epistemic part of the uncertainty."""

    def __init__(self, config: FusionConfig, *, dim: int, tokens: int, modalities: int, logits: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            FusionMember(config, dim=dim, tokens=tokens, modalities=modalities, logits=logits)
            for _ in range(config.members)
        )

    def forward(self, tokens: Tensor, pooled: Tensor, available: Tensor) -> Tensor:
        """Logits of all members [members, batch, logits]."""
        return torch.stack([member(tokens, pooled, available).logits for member in self.members])
