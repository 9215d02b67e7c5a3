"""The one attention block that the vitals encoder and the fusion trunk share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AttentionBlock(nn.Module):
    """Pre-norm attention of `x` on a masked context that includes `x` itself, then a feed-forward layer."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, dim)
        )

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """`x` [batch, n, dim]; `context` [batch, m, dim]; `mask` [batch, m], True where the context may be seen."""
        own = self.norm(x)
        seen = own if context is None else torch.cat([own, context], dim=1)  # [batch, n + m, dim]
        keys, values = self.key_value(seen).chunk(2, dim=-1)
        scores = self._split(self.query(own)) @ self._split(keys).transpose(-1, -2)  # [batch, heads, n, n + m]
        scores = scores * (x.shape[-1] // self.heads) ** -0.5
        if mask is not None:
            visible = torch.cat([mask.new_ones(mask.shape[0], x.shape[1]), mask], dim=1)
            scores = scores.masked_fill(~visible[:, None, None], torch.finfo(scores.dtype).min)
        gathered = (scores.softmax(-1) @ self._split(values)).transpose(1, 2).flatten(2)
        x = x + self.out(gathered)
        added: Tensor = self.feed_forward(x)
        return x + added

    def _split(self, x: Tensor) -> Tensor:
        batch, n, dim = x.shape
        return x.view(batch, n, self.heads, dim // self.heads).transpose(1, 2)  # [batch, heads, n, dim/heads]
