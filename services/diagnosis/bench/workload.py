"""What is measured: every encoder, the fusion, and the whole network, on cases of a stated size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import ConsiliumNetwork

READINGS = 1000
"""About as many as a ward patient has in 96 hours (median 941)."""
Forward = Callable[[], Tensor]


@dataclass(frozen=True)
class Part:
    """A part of the network and its forward pass on a fixed batch, ending in one number to differentiate."""

    name: str
    module: nn.Module
    forward: Forward


def draw_inputs(config: ModelConfig, batch: int, device: torch.device) -> dict[str, Inputs]:
    """Random cases: one film, one full window of a note, `READINGS` readings, every fact known."""
    rng = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, generator=rng)

    def indices(below: int, *shape: int) -> Tensor:
        return torch.randint(below, (batch, *shape), generator=rng)

    note, side = config.note, config.image.side
    window = (1, note.window)
    inputs: dict[str, Inputs] = {
        "image": {"pixels": numbers(1, 1, side, side), "present": torch.ones(batch, 1, dtype=torch.bool)},
        "note": {
            "input_ids": indices(note.vocab_size, *window),
            "attention": torch.ones(batch, *window, dtype=torch.long),
            "contexts": torch.zeros(batch, *window, dtype=torch.long),
        },
        "vitals": {
            "readings": numbers(READINGS, 4),
            "times_h": -96 * numbers(READINGS),
            "clock_h": 24 * numbers(READINGS),
            "variables": indices(config.vitals.variables, READINGS),
            "mask": torch.ones(batch, READINGS, dtype=torch.bool),
        },
        "tabular": {
            "values": numbers(config.tabular.variables),
            "mask": torch.ones(batch, config.tabular.variables, dtype=torch.bool),
        },
    }
    return {name: {key: value.to(device) for key, value in part.items()} for name, part in inputs.items()}


def parts_of(network: ConsiliumNetwork, inputs: dict[str, Inputs]) -> Iterator[Part]:
    """Encoders in the order of the registry, the fusion on their tokens, and all together."""
    for name, own in inputs.items():
        yield Part(name, network.encoder(name), _encode(network.encoder(name), own))
    batch = len(inputs["vitals"]["mask"])
    config, device = network.config, inputs["vitals"]["mask"].device
    tokens = torch.randn(batch, len(MODALITIES), config.tokens, config.dim, device=device)
    available = torch.ones(batch, len(MODALITIES), dtype=torch.bool, device=device)
    yield Part("fusion", network.fusion, lambda: _number(network.fusion(tokens, tokens[:, :, 0], available)))
    yield Part("whole", network, lambda: _number(network.fuse(network.encode(inputs), available)))


def _encode(encoder: Encoder, inputs: Inputs) -> Forward:
    def forward() -> Tensor:
        encoded: Encoded = encoder(inputs)
        return _number(encoded.tokens) + _number(encoded.pooled)

    return forward


def _number(values: Tensor) -> Tensor:
    return values.float().square().mean()
