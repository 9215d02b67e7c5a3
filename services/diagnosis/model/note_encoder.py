"""Note encoder: a small BERT from a local configuration, over overlapping windows of word pieces."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import BertConfig, BertModel

from services.diagnosis.model.config import ModelConfig, NoteConfig
from services.diagnosis.model.encoder import Encoded, Encoder, Inputs, Positions, TokenPooler

MASK_ID = 4
"""Word piece `[MASK]`; the special pieces come first in every vocabulary of ours (training.vocabulary)."""
CONTEXTS = 3
"""Token types: plain, negated, someone else's history."""


class NoteEncoder(Encoder):
    """All windows of all notes of a case are one set of word pieces."""

    mask_id = MASK_ID

    def __init__(self, dim: int, tokens: int, config: NoteConfig) -> None:
        super().__init__()
        self.bert = BertModel(
            BertConfig(
                vocab_size=config.vocab_size,
                hidden_size=config.hidden,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=config.intermediate,
                max_position_embeddings=config.window,
                type_vocab_size=CONTEXTS,
                hidden_dropout_prob=0.1,
                attention_probs_dropout_prob=0.0,
            ),
            add_pooling_layer=False,
        )
        self.project = nn.Linear(config.hidden, dim)
        self.pooler = TokenPooler(dim, tokens)

    def embed(self, input_ids: Tensor) -> Tensor:
        """[windows, pieces] -> [windows, pieces, hidden]: the word embeddings that attributions start from."""
        embeddings: Tensor = self.bert.embeddings.word_embeddings(input_ids)
        return embeddings

    def contextualise(self, embedded: Tensor, attention: Tensor, contexts: Tensor) -> Tensor:
        """Word embeddings [windows, pieces, hidden] -> [windows, pieces, dim]."""
        output = self.bert(inputs_embeds=embedded, attention_mask=attention, token_type_ids=contexts)
        pieces: Tensor = self.project(output.last_hidden_state)
        return pieces

    def positions(self, inputs: Inputs) -> Positions:
        """`input_ids`, `contexts`, `attention` [batch, windows, pieces]; attention is 0 where there is nothing."""
        attention = inputs["attention"]
        present = attention.any(-1)  # [batch, windows]
        embedded = inputs["embedded"] if "embedded" in inputs else self.embed(inputs["input_ids"])
        pieces = self.contextualise(embedded[present], attention[present], inputs["contexts"][present])
        features = pieces.new_zeros((*attention.shape, pieces.shape[-1]))
        features[present] = pieces
        return Positions(features.flatten(1, 2), attention.bool().flatten(1))

    def pool(self, positions: Positions) -> Encoded:
        encoded: Encoded = self.pooler(positions.features, positions.mask)
        return encoded


def build(config: ModelConfig) -> NoteEncoder:
    return NoteEncoder(config.dim, config.tokens, config.note)
