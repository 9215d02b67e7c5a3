"""From notes to overlapping windows of word pieces that remember which characters they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.preprocessing.contexts import context_at, find_scopes

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Array = NDArray[np.int64]
MAX_WINDOWS = 24
"""About three thousand words; what is beyond is reported, not silently dropped."""


@dataclass(frozen=True)
class NoteWindows:
    """Windows of all notes of one case, padded: arrays [windows, pieces]."""

    input_ids: NDArray[np.int64]
    attention: NDArray[np.int64]
    contexts: NDArray[np.int64]
    notes: NDArray[np.int64]
    """[windows]: index of the note a window belongs to."""
    offsets: NDArray[np.int64]
    """[windows, pieces, 2]: characters of the note; (0, 0) for special pieces and padding."""
    unknown_share: float
    pieces_per_word: float
    pieces: int
    truncated: bool


def window_notes(texts: Sequence[str], tokenizer: Tokenizer, *, window: int, overlap: int) -> NoteWindows:
    """Cut notes (in the order of importance) into windows of `window` pieces that share `overlap` with their neighbour.

    Raises: ValueError: no text at all.
    """
    if not texts:
        raise ValueError("no note to encode")
    special = {name: int(tokenizer.token_to_id(name) or 0) for name in ("[CLS]", "[SEP]", "[PAD]", "[UNK]")}
    rows: list[tuple[int, list[int], list[int], list[tuple[int, int]]]] = []
    counts = {"pieces": 0, "words": 0, "unknown": 0}
    for index, text in enumerate(texts):
        encoding = tokenizer.encode(text, add_special_tokens=False)
        scopes = find_scopes(text)
        contexts = [context_at(scopes, *offset) for offset in encoding.offsets]
        counts["pieces"] += len(encoding.ids)
        counts["words"] += len(set(encoding.word_ids))
        counts["unknown"] += sum(piece == special["[UNK]"] for piece in encoding.ids)
        for start in _starts(len(encoding.ids), window - 2, overlap):
            part = slice(start, start + window - 2)
            rows.append((index, encoding.ids[part], contexts[part], encoding.offsets[part]))
    input_ids, attention, kinds, owners, offsets = _pad(rows[:MAX_WINDOWS], window, special)
    return NoteWindows(
        input_ids,
        attention,
        kinds,
        owners,
        offsets,
        unknown_share=counts["unknown"] / max(1, counts["pieces"]),
        pieces_per_word=counts["pieces"] / max(1, counts["words"]),
        pieces=counts["pieces"],
        truncated=len(rows) > MAX_WINDOWS,
    )


def _starts(pieces: int, width: int, overlap: int) -> list[int]:
    last = max(0, pieces - width)
    return [*range(0, last, width - overlap), last]


def _pad(
    rows: list[tuple[int, list[int], list[int], list[tuple[int, int]]]], window: int, special: dict[str, int]
) -> tuple[Array, Array, Array, Array, Array]:
    width = min(window, max(len(row[1]) for row in rows) + 2)
    input_ids = np.full((len(rows), width), special["[PAD]"], np.int64)
    attention = np.zeros((len(rows), width), np.int64)
    contexts = np.zeros((len(rows), width), np.int64)
    offsets = np.zeros((len(rows), width, 2), np.int64)
    for line, (_, ids, kinds, spans) in enumerate(rows):
        length = len(ids)
        input_ids[line, : length + 2] = [special["[CLS]"], *ids, special["[SEP]"]]
        attention[line, : length + 2] = 1
        contexts[line, 1 : length + 1] = kinds
        if length:
            offsets[line, 1 : length + 1] = spans
    return input_ids, attention, contexts, np.array([row[0] for row in rows], np.int64), offsets


def note_statistics(texts: Sequence[str], windows: NoteWindows) -> NDArray[np.float64]:
    """[8]: plain statistics of the writing that betray another language or no language at all, whatever its length."""
    text = "\n".join(texts)
    size = max(1, len(text))
    words = text.split() or [""]
    return np.array(
        [
            np.log(windows.pieces_per_word or 1.0),
            np.log1p(100 * windows.unknown_share),
            sum(character.isdigit() for character in text) / size,
            sum(character.isupper() for character in text) / size,
            sum(not character.isascii() for character in text) / size,
            sum(not character.isalnum() and not character.isspace() for character in text) / size,
            np.log1p(np.mean([len(word) for word in words])),
            np.log1p(len(set(words))) - np.log1p(len(words)),
        ],
        np.float64,
    )
