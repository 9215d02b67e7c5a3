"""Tabular encoder: age, sex and laboratory values, each one place; what is unknown is masked, not imputed."""

from __future__ import annotations

import torch
from torch import nn

from services.diagnosis.model.config import ModelConfig, TabularConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions, TokenPooler


class TabularEncoder(Encoder):
    """A fact is (variable, value), as in FT-Transformer's feature tokenizer (arXiv 2106.11959)."""

    def __init__(self, dim: int, tokens: int, config: TabularConfig) -> None:
        super().__init__()
        self.variable = nn.Embedding(config.variables, dim)
        self.fact = nn.Sequential(nn.Linear(dim + 1, config.hidden), nn.GELU(), nn.Linear(config.hidden, dim))
        self.pooler = TokenPooler(dim, tokens)

    def positions(self, inputs: Inputs) -> Positions:
        """`values` [batch, variables], standardised; `mask` [batch, variables], True where known."""
        values = inputs["values"]
        names = self.variable.weight.expand(values.shape[0], -1, -1)  # [batch, variables, dim]
        features = names + self.fact(torch.cat([names, values[..., None]], dim=-1))
        return Positions(features, inputs["mask"])

    def pool(self, positions: Positions) -> Encoded:
        encoded: Encoded = self.pooler(positions.features, positions.mask)
        return encoded


def build(config: ModelConfig) -> TabularEncoder:
    return TabularEncoder(config.dim, config.tokens, config.tabular)
