"""From notes to overlapping windows of word pieces that remember which characters they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.preprocessing.contexts import context_at, find_scopes
from services.diagnosis.model.preprocessing.note_age import age_bucket
from services.diagnosis.model.preprocessing.sections import find_sections, section_at

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Array = NDArray[np.int64]
MAX_WINDOWS = 24
"""About three thousand words; what is beyond is reported, not silently dropped."""
SPECIAL = {
    "start": ("[CLS]", "<s>"),
    "end": ("[SEP]", "</s>"),
    "pad": ("[PAD]", "<pad>"),
    "unknown": ("[UNK]", "<unk>"),
}
"""What the families of tokenizers call their special pieces."""


@dataclass(frozen=True)
class NoteWindows:
    """Windows of all notes of one case, padded: arrays [windows, pieces]."""

    input_ids: NDArray[np.int64]
    attention: NDArray[np.int64]
    contexts: NDArray[np.int64]
    """Plain, negated or someone else's history; special pieces are plain."""
    sections: NDArray[np.int64]
    """Index into `sections.SECTIONS`."""
    ages: NDArray[np.int64]
    """[windows]: bucket of the note's age, see `note_age`."""
    notes: NDArray[np.int64]
    """[windows]: index of the note a window belongs to."""
    offsets: NDArray[np.int64]
    """[windows, pieces, 2]: characters of the note; (0, 0) for special pieces and padding."""
    unknown_share: float
    pieces_per_word: float
    pieces: int
    truncated: bool


@dataclass(frozen=True)
class _Row:
    """One window before it is padded."""

    note: int
    age: int
    ids: list[int]
    contexts: list[int]
    sections: list[int]
    offsets: list[tuple[int, int]]


def window_notes(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    *,
    window: int,
    overlap: int,
    ages_h: Sequence[float | None] | None = None,
) -> NoteWindows:
    """Cut notes (in the order of importance) into windows of `window` pieces that share `overlap` with their neighbour.

    Args:
        ages_h: of each note, hours before the case time; None: nobody knows.
    Raises: ValueError: no text at all, or not one age per note.
    """
    if not texts:
        raise ValueError("no note to encode")
    special = special_pieces(tokenizer)
    rows: list[_Row] = []
    counts = {"pieces": 0, "words": 0, "unknown": 0}
    for index, (text, age_h) in enumerate(zip(texts, ages_h or [None] * len(texts), strict=True)):
        encoding = tokenizer.encode(text, add_special_tokens=False)
        counts["pieces"] += len(encoding.ids)
        counts["words"] += len(set(encoding.word_ids))
        counts["unknown"] += sum(piece == special["unknown"] for piece in encoding.ids)
        scopes, headed = find_scopes(text), find_sections(text)
        contexts = [context_at(scopes, *offset) for offset in encoding.offsets]
        sections = [section_at(headed, start) for start, _ in encoding.offsets]
        for start in _starts(len(encoding.ids), window - 2, overlap):
            part = slice(start, start + window - 2)
            rows.append(
                _Row(
                    index, age_bucket(age_h), encoding.ids[part], contexts[part], sections[part], encoding.offsets[part]
                )
            )
    kept = rows[:MAX_WINDOWS]
    return NoteWindows(
        **_pad(kept, window, special),
        ages=np.array([row.age for row in kept], np.int64),
        notes=np.array([row.note for row in kept], np.int64),
        unknown_share=counts["unknown"] / max(1, counts["pieces"]),
        pieces_per_word=counts["pieces"] / max(1, counts["words"]),
        pieces=counts["pieces"],
        truncated=len(rows) > MAX_WINDOWS,
    )


def special_pieces(tokenizer: Tokenizer) -> dict[str, int]:
    """Role -> the id of its piece, in whatever family of tokenizers.

    Raises: ValueError: a vocabulary without one of them.
    """
    found = {}
    for role, names in SPECIAL.items():
        ids = [piece for name in names if (piece := tokenizer.token_to_id(name)) is not None]
        if not ids:
            raise ValueError(f"the tokenizer has none of the special pieces {', '.join(names)}")
        found[role] = int(ids[0])
    return found


def _starts(pieces: int, width: int, overlap: int) -> list[int]:
    last = max(0, pieces - width)
    return [*range(0, last, width - overlap), last]


def _pad(rows: list[_Row], window: int, special: dict[str, int]) -> dict[str, Array]:
    width = min(window, max(len(row.ids) for row in rows) + 2)
    shape = (len(rows), width)
    input_ids, attention = np.full(shape, special["pad"], np.int64), np.zeros(shape, np.int64)
    contexts, sections, offsets = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros((*shape, 2), np.int64)
    for line, row in enumerate(rows):
        length = len(row.ids)
        input_ids[line, : length + 2] = [special["start"], *row.ids, special["end"]]
        attention[line, : length + 2] = 1
        contexts[line, 1 : length + 1] = row.contexts
        sections[line, 1 : length + 1] = row.sections
        if length:
            offsets[line, 1 : length + 1] = row.offsets
    return {
        "input_ids": input_ids, "attention": attention, "contexts": contexts, "sections": sections, "offsets": offsets,
    }  # fmt: skip


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
