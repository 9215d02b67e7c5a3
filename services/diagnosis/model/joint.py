"""One space for every modality of a patient, for cells of a film and for phrases: near means that they go together.

Contrastive alignment after CLIP (arXiv 2103.00020) and ConVIRT (arXiv 2010.00747), phrases against cells after GLoRIA
(Huang et al., ICCV 2021). It stands beside the diagnosis: it reads what the encoders say and gives them nothing back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.diagnosis.model.encoder import Encoded


@dataclass(frozen=True)
class JointConfig:
    """Dimensions of the space; `modalities`, `dim` and `tokens` are those of the encoders below it."""

    modalities: tuple[str, ...]
    dim: int
    tokens: int
    vocab_size: int
    width: int = 64
    hidden: int = 128
    heads: int = 4
    longest: int = 48
    """Word pieces of a phrase; what is beyond is not read."""
    sharpness: float = 10.0
    """How much more a likely cell counts than an unlikely one when a phrase looks at a film."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> JointConfig:
        """The inverse of `to_json`. Raises: TypeError: an unknown or a missing key."""
        return cls(**{**value, "modalities": tuple(value["modalities"])})


class JointSpace(nn.Module):
    """Projections into the space, and the reader of phrases. All vectors that leave it have length 1."""

    def __init__(self, config: JointConfig) -> None:
        super().__init__()
        self.config = config
        self.modalities = nn.ModuleDict(
            {name: _projection(config.tokens * config.dim, config) for name in config.modalities}
        )
        self.cells = _projection(config.dim, config)
        self.phrases = PhraseReader(config)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.tensor(-3.0))

    def embed(self, name: str, encoded: Encoded) -> Tensor:
        """One modality of a batch of cases -> [batch, width]."""
        projected: Tensor = self.modalities[name](encoded.tokens.flatten(1))
        return functional.normalize(projected, dim=-1)

    def embed_cells(self, features: Tensor) -> Tensor:
        """Positions of the image encoder [batch, cells, dim] -> [batch, cells, width]."""
        projected: Tensor = self.cells(features)
        return functional.normalize(projected, dim=-1)

    def embed_phrases(self, pieces: Tensor, mask: Tensor) -> Tensor:
        """Word pieces [batch, pieces] and where there are any -> [batch, width]."""
        read: Tensor = self.phrases(pieces, mask)
        return functional.normalize(read, dim=-1)

    def look(self, phrases: Tensor, cells: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Cosine of each phrase with each film where it looks, and with each of its cells.

        Args:
            phrases: [phrases, width]; cells: [films, cells, width]; mask: [films, cells], True where there is a film.
        Returns: [phrases, films], a mean over cells that leans to the most similar, and [phrases, films, cells].
        """
        by_cell = torch.einsum("pw,fcw->pfc", phrases, cells)
        scores = by_cell * self.config.sharpness
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return (scores.softmax(-1) * by_cell).sum(-1), by_cell

    def logits(self, similarity: Tensor) -> Tensor:
        """What the sigmoid loss compares with agreement (SigLIP, arXiv 2303.15343); no probability of anything."""
        return similarity * self.log_scale.exp() + self.bias


class PhraseReader(nn.Module):
    """A phrase as one vector: own word-piece embeddings, one transformer layer, attention pooling."""

    def __init__(self, config: JointConfig) -> None:
        super().__init__()
        self.words = nn.Embedding(config.vocab_size, config.width)
        self.places = nn.Embedding(config.longest, config.width)
        self.layer = nn.TransformerEncoderLayer(
            config.width, config.heads, config.hidden, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.importance = nn.Linear(config.width, 1)
        self.out = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, config.width))

    def forward(self, pieces: Tensor, mask: Tensor) -> Tensor:
        x = self.words(pieces) + self.places.weight[: pieces.shape[1]]  # [batch, pieces, width]
        x = self.layer(x, src_key_padding_mask=~mask)
        scores = self.importance(x).squeeze(-1).masked_fill(~mask, torch.finfo(x.dtype).min)
        gathered = (scores.softmax(-1)[..., None] * x).sum(1)  # [batch, width]
        read: Tensor = self.out(gathered)
        return read


def combine(vectors: Tensor) -> Tensor:
    """The vector of a case: the direction of the mean of its modalities' vectors [..., modalities, width]."""
    return functional.normalize(vectors.mean(-2), dim=-1)


def _projection(width: int, config: JointConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, config.hidden), nn.GELU(), nn.Linear(config.hidden, config.width)
    )
