"""The word pieces of the notes: a WordPiece vocabulary learned from the training notes alone, or an encoder's own."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer

from services.diagnosis.model.config import NoteConfig
from services.diagnosis.model.text_files import read_tokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
INSIDE = "##"
"""Prefix of a piece that does not begin a word."""


def tokenizer_of(config: NoteConfig, texts: Sequence[str]) -> Tokenizer:
    """The tokenizer of the pretrained encoder where there is one, else one learned from the training notes.

    Raises: EncoderFilesMissing.
    """
    if config.pretrained is not None:
        return read_tokenizer(config)
    return train_tokenizer(texts, size=config.vocab_size)


def train_tokenizer(texts: Sequence[str], *, size: int) -> Tokenizer:
    """A lower-casing tokenizer whose offsets point at the original characters. The same texts give the same pieces.

    The trainer numbers letters inside words in the order of a hash map, another in every run, and breaks ties by
    these numbers; given as special pieces they come in our order. They are special for the training alone.
    """
    learning = _untrained(WordPiece(unk_token="[UNK]"))  # noqa: S106 - a word piece, no password
    letters = {letter for text in texts for letter in learning.normalizer.normalize_str(text) if not letter.isspace()}
    fixed = [*SPECIAL, *(f"{INSIDE}{letter}" for letter in sorted(letters))]
    trainer = WordPieceTrainer(vocab_size=size, special_tokens=fixed, show_progress=False, min_frequency=2)
    learning.train_from_iterator(texts, trainer)
    vocabulary = learning.get_vocab(with_added_tokens=False)
    tokenizer = _untrained(WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def _untrained(model: WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer
