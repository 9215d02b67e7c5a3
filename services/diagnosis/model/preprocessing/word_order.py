"""Do the words of a note stand in the order of a clinical text? Bigrams of word pieces, learnt from training notes.

A small network over word pieces hardly notices that words are shuffled; how much likelier each piece is after its
neighbour than anywhere (its pointwise mutual information, Church & Hanks 1990) falls at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.model.preprocessing.notes import NoteWindows

DISCOUNT = 0.75
"""Taken from every count for the pairs never seen (absolute discounting, Ney, Essen & Kneser 1994)."""
SPECIAL = 5
"""Ids below are no words: padding, unknown, class, separator, mask."""
MIN_PAIR = 2
_SENTENCE_END = re.compile(r"[.!?]$")


@dataclass(frozen=True)
class WordOrder:
    """log p(b | a) / p(b) of pairs of pieces, for those seen and for those not."""

    pairs: NDArray[np.int32]
    """Ascending: first piece * vocabulary + second piece."""
    gains: NDArray[np.float32]
    """Of each of `pairs`."""
    unseen: NDArray[np.float32]
    """[vocabulary]: after this piece, of a piece never seen after it."""
    surprise: NDArray[np.float32]
    """[vocabulary]: -log p(piece)."""

    def statistics(self, windows: NoteWindows, texts: Sequence[str]) -> NDArray[np.float64]:
        """[4]: mean gain of a pair, share of pairs ever seen, mean surprise of a piece, capitals after full stops.

        NaN where the note is too short to tell.
        """
        first, second = _pairs(windows)
        if not len(first):
            return np.full(4, np.nan)
        keys = first * len(self.unseen) + second
        places = np.minimum(np.searchsorted(self.pairs, keys), len(self.pairs) - 1)
        seen = self.pairs[places] == keys
        gains = np.where(seen, self.gains[places], self.unseen[first])
        surprise = self.surprise[second].mean()
        return np.array([gains.mean(), seen.mean(), surprise, sentence_case(" ".join(texts))], np.float64)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        halves = {name: getattr(self, name).astype(np.float16) for name in ("gains", "unseen", "surprise")}
        return {"pairs": self.pairs, **halves}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> WordOrder:
        halves = (arrays[name].astype(np.float32) for name in ("gains", "unseen", "surprise"))
        return cls(arrays["pairs"], *halves)

    @classmethod
    def fit(cls, notes: Sequence[NoteWindows], *, vocabulary: int) -> WordOrder:
        """Count the pairs of all training notes; those seen once are forgotten."""
        parts = [_pairs(windows) for windows in notes]
        first, second = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
        single = (np.bincount(second, minlength=vocabulary) + 0.5) / (len(second) + 0.5 * vocabulary)
        pairs, counts = np.unique(first * vocabulary + second, return_counts=True)
        before = np.bincount(first, minlength=vocabulary)
        kinds = np.bincount(pairs // vocabulary, minlength=vocabulary)
        reserved = np.where(before > 0, DISCOUNT * kinds / np.maximum(before, 1), 1.0)
        pairs, counts = pairs[counts >= MIN_PAIR], counts[counts >= MIN_PAIR]
        a, b = pairs // vocabulary, pairs % vocabulary
        gains = np.log(np.maximum(counts - DISCOUNT, 0) / before[a] / single[b] + reserved[a])
        fitted = cls(
            pairs.astype(np.int32),
            gains.astype(np.float32),
            np.log(reserved).astype(np.float32),
            -np.log(single).astype(np.float32),
        )
        return cls.from_arrays(fitted.to_arrays())  # as the bundle stores it


def _pairs(windows: NoteWindows) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Neighbouring pieces; a pair in the overlap of two windows counts twice."""
    ids = windows.input_ids
    there = windows.attention.astype(np.bool_) & (ids >= SPECIAL)
    both = there[:, :-1] & there[:, 1:]
    return ids[:, :-1][both], ids[:, 1:][both]


def sentence_case(text: str) -> float:
    """Share of words with a capital after a full stop, minus that elsewhere; NaN below two sentences.

    It holds in any style of writing, and is lost when words change places.
    """
    words = text.split()
    begins = [word for before, word in pairwise(words) if _SENTENCE_END.search(before)]
    inside = [word for before, word in pairwise(words) if not _SENTENCE_END.search(before)]
    if not begins or not inside:
        return float("nan")
    after = sum(word[0].isupper() for word in begins) / len(begins)
    return after - sum(word[0].isupper() for word in inside) / len(inside)
