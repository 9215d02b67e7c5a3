"""Hybrid fusion whose output is an auditable sum of log-odds.

For class k and the set S of modalities at hand:  z_k = b_k + sum_{m in S} g_mk z_mk + beta_k(S) z_k^joint,  with the
gate g a softmax over S (after DrFuse, arXiv 2403.06197) and beta = 0 where S holds one modality: then the model IS that
modality's head. The joint term comes from bottleneck latents (after arXiv 2107.00135) that attend to the tokens of S.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from services.diagnosis.model.attention import AttentionBlock
from services.diagnosis.model.config import FusionConfig


@dataclass
class Fused:
    """Logits and the parts they are the sum of."""

    logits: Tensor
    """[batch, logits]"""
    unimodal: Tensor
    """[batch, modalities, logits]; the heads alone, meaningless where the modality is absent."""
    gate: Tensor
    """[batch, modalities, logits]; zero where absent, sums to 1 over the modalities."""
    joint: Tensor
    """[batch, logits]; already weighted by beta."""


class FusionMember(nn.Module):
    """One member of the ensemble: heads, gate and trunk."""

    def __init__(self, config: FusionConfig, *, dim: int, modalities: int, logits: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(logits))
        self.heads = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, config.hidden), nn.GELU(), nn.Linear(config.hidden, logits))
            for _ in range(modalities)
        )
        self.missing = nn.Parameter(torch.zeros(modalities, dim))
        self.gate = nn.Sequential(
            nn.LayerNorm(modalities * dim),
            nn.Linear(modalities * dim, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, modalities * logits),
        )
        self.token_norm = nn.LayerNorm(dim)
        self.modality = nn.Parameter(torch.randn(modalities, 1, dim) * 0.1)
        self.latents = nn.Parameter(torch.randn(config.latents, dim) * 0.1)
        self.blocks = nn.ModuleList(
            AttentionBlock(dim, config.heads, config.hidden, config.dropout) for _ in range(config.blocks)
        )
        self.joint = nn.Sequential(nn.LayerNorm(config.latents * dim), nn.Linear(config.latents * dim, logits))
        self.beta = nn.Parameter(torch.ones(2**modalities, logits))

    def forward(self, tokens: Tensor, pooled: Tensor, available: Tensor) -> Fused:
        """Fuse `tokens` [batch, modalities, n, dim] and `pooled` [batch, modalities, dim] where `available` is True.

        Raises: ValueError: a row without any modality.
        """
        if not bool(available.any(1).all()):
            raise ValueError("every case needs at least one modality")
        unimodal = torch.stack([head(pooled[:, m]) for m, head in enumerate(self.heads)], dim=1)
        gate = self._gate(pooled, available)  # [batch, modalities, logits]
        joint = self._joint(tokens, available) * self._beta(available)  # [batch, logits]
        return Fused(self.bias + (gate * unimodal).sum(1) + joint, unimodal, gate, joint)

    def _gate(self, pooled: Tensor, available: Tensor) -> Tensor:
        known = torch.where(available[..., None], pooled, self.missing)
        scores = self.gate(known.flatten(1)).unflatten(-1, (pooled.shape[1], -1))
        gate: Tensor = scores.masked_fill(~available[..., None], float("-inf")).softmax(1)
        return gate

    def _joint(self, tokens: Tensor, available: Tensor) -> Tensor:
        context = (self.token_norm(tokens) + self.modality).flatten(1, 2)  # [batch, modalities * n, dim]
        mask = available.repeat_interleave(tokens.shape[2], dim=1)
        latents = self.latents.expand(len(tokens), -1, -1)
        for block in self.blocks:
            latents = block(latents, context, mask)
        logits: Tensor = self.joint(latents.flatten(1))
        return logits

    def _beta(self, available: Tensor) -> Tensor:
        code = (available.long() * 2 ** torch.arange(available.shape[1], device=available.device)).sum(1)
        several = available.sum(1, keepdim=True) > 1
        return self.beta[code] * several


class FusionEnsemble(nn.Module):
    """Independent members over the same tokens; their disagreement is the epistemic part of the uncertainty."""

    def __init__(self, config: FusionConfig, *, dim: int, modalities: int, logits: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(
            FusionMember(config, dim=dim, modalities=modalities, logits=logits) for _ in range(config.members)
        )

    def forward(self, tokens: Tensor, pooled: Tensor, available: Tensor) -> Tensor:
        """Logits of all members [members, batch, logits]."""
        return torch.stack([member(tokens, pooled, available).logits for member in self.members])
