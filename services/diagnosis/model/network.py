"""The whole network: a registry of encoders, and the fusion of whatever they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from torch import Tensor, nn

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs
from services.diagnosis.model.fusion import FusionEnsemble, FusionMember
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.registry import ENCODERS


class ConsiliumNetwork(nn.Module):
    """Encoders and fusion. An encoder runs only for the modalities that are there."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoders = nn.ModuleDict({name: build_encoder(name, config) for name in MODALITIES})
        self.fusion = FusionEnsemble(
            config.fusion, dim=config.dim, tokens=config.tokens, modalities=len(MODALITIES), logits=config.logits
        )

    def encoder(self, name: str) -> Encoder:
        """The encoder of one modality."""
        return cast(Encoder, self.encoders[name])

    def members(self) -> tuple[FusionMember, ...]:
        """The ensemble's members."""
        return tuple(cast(FusionMember, member) for member in self.fusion.members)

    def encode(self, inputs: Mapping[str, Inputs]) -> dict[str, Encoded]:
        """The modalities at hand, encoded; absent ones are neither run nor in the answer."""
        return {name: self.encoders[name](inputs[name]) for name in MODALITIES if name in inputs}

    def fuse(self, encoded: Mapping[str, Encoded], available: Tensor) -> Tensor:
        """Logits of all ensemble members [members, batch, logits] under the masks `available` [batch, modalities]."""
        tokens, pooled = stack(encoded, len(available), self.config)
        logits: Tensor = self.fusion(tokens, pooled, available)
        return logits


def build_encoder(name: str, config: ModelConfig) -> Encoder:
    """The encoder of one modality, with fresh weights."""
    build: Callable[[ModelConfig], Encoder] = import_module(ENCODERS[name]).build
    return build(config)


def stack(encoded: Mapping[str, Encoded], batch: int, config: ModelConfig) -> tuple[Tensor, Tensor]:
    """Tokens [batch, modalities, n, dim] and pooled [batch, modalities, dim]; zeros stand where the mask hides them.

    A single encoded case is repeated over the batch: that is how one case is asked about every subset at once.
    """
    first = next(iter(encoded.values()))
    tokens = first.tokens.new_zeros(batch, len(MODALITIES), config.tokens, config.dim)
    pooled = first.pooled.new_zeros(batch, len(MODALITIES), config.dim)
    for index, name in enumerate(MODALITIES):
        if name in encoded:
            tokens[:, index] = encoded[name].tokens
            pooled[:, index] = encoded[name].pooled
    return tokens, pooled


def parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
