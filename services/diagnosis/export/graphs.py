"""The network cut into graphs of plain tensors: one per encoder, one for the fusion.

Everything that a caller may vary is an axis of an input: cases, films, windows, word pieces, readings. What depends on
the values of a batch (how many readings a sign has) is said by masks here, since a graph has one shape for all batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from services.diagnosis.export.errors import ExportUnsupported
from services.diagnosis.model.encoder import Encoded, Encoder, Positions
from services.diagnosis.model.fusion import FusionEnsemble
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.model.vitals_encoder import (
    NEVER,
    DenseVitalsEncoder,
    PartialSums,
    VitalsEncoder,
    gather_all,
)

OUTPUTS = ("tokens", "pooled")
FUSION = "fusion"
FUSION_INPUTS, FUSION_OUTPUTS = ("tokens", "pooled", "available"), ("logits",)
AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "image": dict.fromkeys(("pixels", "present", "views"), ("batch", "images")),
    "note": {
        **dict.fromkeys(("input_ids", "attention", "contexts", "sections"), ("batch", "windows", "pieces")),
        "ages": ("batch", "windows"),
    },
    "vitals": dict.fromkeys(("readings", "times_h", "clock_h", "variables", "mask"), ("batch", "readings")),
}
"""Graph -> input -> its leading axes that may be of any length; of every other input that is the batch alone."""


class EncoderGraph(nn.Module):
    """An encoder as a function of its inputs, in the order of `names`, to tokens and pooled vector."""

    def __init__(self, encoder: Encoder, names: Sequence[str]) -> None:
        super().__init__()
        self.encoder, self.names = encoder, tuple(names)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Returns: [batch, tokens, dim] and [batch, dim]."""
        positions = self.encoder.positions(dict(zip(self.names, inputs, strict=True)))
        encoded = self.pool(positions)
        return encoded.tokens, encoded.pooled

    def pool(self, positions: Positions) -> Encoded:
        return self.encoder.pool(positions)


class StreamingVitalsGraph(EncoderGraph):
    """The encoder of sums that can be kept; here each sign looks at all readings and is blind to those of others."""

    def pool(self, positions: Positions) -> Encoded:
        encoder = cast(VitalsEncoder, self.encoder)
        return encoder.read(*encoder.gather(positions, _by_looking_at_all))


def _by_looking_at_all(scores: Tensor, values: Tensor, variables: Tensor, mask: Tensor, count: int) -> PartialSums:
    parts = [
        gather_all(scores.masked_fill((variables != sign)[..., None, None], NEVER), values) for sign in range(count)
    ]
    return PartialSums(
        torch.stack([part.peak for part in parts], 1),
        torch.stack([part.total for part in parts], 1),
        torch.stack([part.weighted for part in parts], 1),
    )


class FusionGraph(nn.Module):
    """The ensemble as a function of what the encoders say and of who is there."""

    def __init__(self, fusion: FusionEnsemble) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(self, tokens: Tensor, pooled: Tensor, available: Tensor) -> Tensor:
        """[batch, modalities, tokens, dim], [batch, modalities, dim], [batch, modalities] -> member logits.

        Returns: [members, batch, logits]. A row without any modality, which the network refuses, gives no numbers.
        """
        logits: Tensor = self.fusion(tokens, pooled, available)
        return logits


def encoder_graph(network: ConsiliumNetwork, name: str, inputs: Sequence[str]) -> EncoderGraph:
    """The graph of one modality, ready to be traced.

    Raises: ExportUnsupported.
    """
    encoder = network.encoder(name)
    if isinstance(encoder, DenseVitalsEncoder):
        # torch's own attention layer is traced with the number of readings as a constant.
        raise ExportUnsupported("the dense vitals encoder; train one of kind latent")
    if isinstance(encoder, VitalsEncoder) and encoder.running is not None:
        # The runtime refused the traced graph; the reason (scatter_reduce, we suspect) was not isolated.
        raise ExportUnsupported("running summaries of the vitals encoder; train one with running_bins 0")
    kind = StreamingVitalsGraph if isinstance(encoder, VitalsEncoder) else EncoderGraph
    return kind(encoder, inputs).eval()
