"""Note encoder: a transformer over overlapping windows of word pieces; small and from scratch, or a pretrained one.

Pretrained encoders know two token types, which mean something else. What a clinician reads between the lines has
embeddings of its own, added to the word embeddings: the context of a piece (plain, denied, family), the section of the
note that it stands in, and the age of the note. They begin at zero, so a pretrained encoder begins as it came.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from services.diagnosis.model.config import ModelConfig, NoteConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions, TokenPooler
from services.diagnosis.model.preprocessing import note_age
from services.diagnosis.model.preprocessing.sections import SECTIONS

LENGTH_BUCKET = 64
"""Word pieces."""
CONTEXTS = 3
"""Plain, negated, someone else's history."""


class NoteEncoder(Encoder):
    """All windows of all notes of a case are one set of word pieces."""

    def __init__(self, dim: int, tokens: int, config: NoteConfig) -> None:
        super().__init__()
        self.mask_id = config.mask_id
        self.transformer = _transformer(config)
        self.contexts = _from_zero(CONTEXTS, config.hidden)
        self.sections = _from_zero(len(SECTIONS), config.hidden)
        self.ages = _from_zero(note_age.BUCKETS, config.hidden)
        self.project = nn.Linear(config.hidden, dim)
        self.pooler = TokenPooler(dim, tokens)

    def embed(self, input_ids: Tensor) -> Tensor:
        """[windows, pieces] -> [windows, pieces, hidden]: the word embeddings that attributions start from."""
        embeddings: Tensor = self.transformer.get_input_embeddings()(input_ids)
        return embeddings

    def contextualise(self, embedded: Tensor, attention: Tensor, reading: Tensor) -> Tensor:
        """Word embeddings and what `read_between` adds, both [windows, pieces, hidden] -> [windows, pieces, dim]."""
        output = self.transformer(inputs_embeds=embedded + reading, attention_mask=attention)
        pieces: Tensor = self.project(output.last_hidden_state)
        return pieces

    def _contextualise_by_length(self, embedded: Tensor, attention: Tensor, reading: Tensor) -> Tensor:
        """The same, windows of about one length together: one long note does not make all others as long."""
        place = torch.arange(1, attention.shape[1] + 1, device=attention.device)
        lengths = (attention.bool() * place).amax(1)
        pieces = embedded.new_zeros(*attention.shape, self.project.out_features)
        for bucket in torch.unique((lengths - 1) // LENGTH_BUCKET).tolist():
            rows, width = (lengths - 1) // LENGTH_BUCKET == bucket, (bucket + 1) * LENGTH_BUCKET
            own = self.contextualise(embedded[rows, :width], attention[rows, :width], reading[rows, :width])
            pieces[rows, :width] = own.to(pieces.dtype)
        return pieces

    def read_between(self, inputs: Inputs) -> Tensor:
        """[batch, windows, pieces, hidden] of context, section and age; what is not given is plain, body, unknown."""
        contexts = inputs["contexts"]
        sections = inputs["sections"] if "sections" in inputs else torch.zeros_like(contexts)
        ages = inputs["ages"] if "ages" in inputs else torch.zeros_like(contexts[..., 0])
        reading: Tensor = self.contexts(contexts) + self.sections(sections) + self.ages(ages)[:, :, None]
        return reading

    def positions(self, inputs: Inputs) -> Positions:
        """Word pieces of all windows.

        Args:
            inputs: `input_ids` (or `embedded`, [batch, windows, pieces, hidden]), `contexts`, `sections`, `attention`
                [batch, windows, pieces], `ages` [batch, windows]; attention is 0 where there is nothing.
        """
        attention = inputs["attention"]
        present = attention.any(-1)  # [batch, windows]
        embedded = inputs["embedded"] if "embedded" in inputs else self.embed(inputs["input_ids"])
        contextualise = self._contextualise_by_length if self.training else self.contextualise
        pieces = contextualise(embedded[present], attention[present], self.read_between(inputs)[present])
        features = pieces.new_zeros((*attention.shape, pieces.shape[-1]))
        features[present] = pieces
        return Positions(features.flatten(1, 2), attention.bool().flatten(1))

    def pool(self, positions: Positions) -> Encoded:
        encoded: Encoded = self.pooler(positions.features, positions.mask)
        return encoded


def _transformer(config: NoteConfig) -> Any:
    """The architecture alone, with fresh weights; `text_files.load_pretrained` brings others."""
    settings = dict(config.transformer) if config.transformer is not None else _own_bert(config)
    kind = settings.pop("model_type")
    model = AutoModel.from_config(AutoConfig.for_model(kind, **settings))  # type: ignore[no-untyped-call]
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # it sums up the first piece; ours gathers all of them
    return model


def _own_bert(config: NoteConfig) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.intermediate,
        "max_position_embeddings": config.window,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.0,
    }


def _from_zero(count: int, hidden: int) -> nn.Embedding:
    embedding = nn.Embedding(count, hidden)
    nn.init.zeros_(embedding.weight)
    return embedding


def build(config: ModelConfig) -> NoteEncoder:
    return NoteEncoder(config.dim, config.tokens, config.note)
