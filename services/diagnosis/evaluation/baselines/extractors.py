"""Plain features of notes and of irregular series, for cohorts too small or too different for a bundle's encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.baselines.features import Array, Rows

SUMMARIES = ("first", "last", "min", "max", "mean", "std", "slope", "count")
"""Per variable and in this order; slope per hour."""


def summarise(times_h: Array, variables: Sequence[str], values: Array, known: Sequence[str]) -> Array:
    """[len(known) * 8] summaries of one series; NaN (a count of 0) for a variable without a reading.

    Args:
        times_h: hours, oldest first.
        variables: of each reading; those not `known` are left out.
    """
    names = np.asarray(variables)
    return np.concatenate([_summary(times_h[names == one], values[names == one]) for one in known])


def _summary(times_h: Array, values: Array) -> Array:
    if not len(values):
        return np.array([np.nan] * 7 + [0.0])
    centred = times_h - times_h.mean()
    spread = float(centred @ centred)
    slope = float(centred @ values) / spread if spread > 0 else 0.0
    low, high = values.min(), values.max()
    return np.array([values[0], values[-1], low, high, values.mean(), values.std(), slope, len(values)])


@dataclass(frozen=True)
class NoteVectors:
    """TF-IDF of words and pairs of words, then truncated SVD: latent semantic analysis (Deerwester et al., 1990)."""

    weigh: Any
    reduce: Any

    @classmethod
    def fit(cls, texts: Sequence[str], *, dim: int, seed: int) -> NoteVectors:
        """Learn words and directions from the notes of the training cases alone.

        Raises: ValueError: not a single word occurs in two notes.
        """
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        weigh = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=4000, ngram_range=(1, 2))
        weighed = weigh.fit_transform(texts)
        most = min(dim, weighed.shape[1] - 1, weighed.shape[0] - 1)
        with np.errstate(invalid="ignore"):  # of notes that are all alike, it divides a variance of 0 by itself
            return cls(weigh, TruncatedSVD(max(1, most), random_state=seed).fit(weighed))

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[len(texts), at most dim]"""
        return np.asarray(self.reduce.transform(self.weigh.transform(texts)), np.float32)


def note_vectors(texts: Sequence[str | None], train: Rows, *, dim: int, seed: int) -> NDArray[np.float32]:
    """[n, at most dim] learned from the rows `train`; NaN where there is no note.

    With too few notes to learn from, a single column of zeros says no more than that there is one.
    """
    there = np.array([text is not None for text in texts])
    own = [texts[row] or "" for row in train if there[row]]
    try:
        learned = NoteVectors.fit(own, dim=dim, seed=seed) if len(own) > 1 else None
    except ValueError:  # no word occurs twice
        learned = None
    if learned is None:
        return np.where(there[:, None], 0.0, np.nan).astype(np.float32)
    vectors = learned.vectors([text or "" for text in texts])
    vectors[~there] = np.nan
    return vectors
