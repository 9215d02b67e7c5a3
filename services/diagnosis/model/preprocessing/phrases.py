"""From phrases to word pieces, as the joint space reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def tokenize(texts: Sequence[str], tokenizer: Tokenizer, longest: int) -> tuple[Tensor, Tensor]:
    """Word pieces [texts, pieces] and their mask; a text without a word is one unknown piece."""
    unknown = int(tokenizer.token_to_id("[UNK]") or 0)
    rows = [(tokenizer.encode(text, add_special_tokens=False).ids or [unknown])[:longest] for text in texts]
    pieces = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    mask = torch.zeros(pieces.shape, dtype=torch.bool)
    for line, ids in enumerate(rows):
        pieces[line, : len(ids)] = torch.tensor(ids)
        mask[line, : len(ids)] = True
    return pieces, mask
