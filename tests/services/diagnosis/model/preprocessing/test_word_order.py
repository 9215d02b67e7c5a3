from __future__ import annotations

import math

import numpy as np
import pytest

from services.diagnosis.model.preprocessing.notes import NoteWindows
from services.diagnosis.model.preprocessing.word_order import WordOrder, sentence_case

A, B, C = 5, 6, 7
"""The first ids that are words."""


def windows(*notes: list[int]) -> NoteWindows:
    """Each list a window between [CLS] and [SEP]."""
    width = max(map(len, notes)) + 2
    ids = np.zeros((len(notes), width), np.int64)
    attention = np.zeros_like(ids)
    for row, note in enumerate(notes):
        ids[row, : len(note) + 2] = [2, *note, 3]
        attention[row, : len(note) + 2] = 1
    nothing = np.zeros_like(ids)
    owners = np.zeros(len(notes), np.int64)
    return NoteWindows(
        ids,
        attention,
        contexts=nothing,
        sections=nothing,
        ages=owners,
        notes=owners,
        offsets=np.zeros((*ids.shape, 2), np.int64),
        unknown_share=0,
        pieces_per_word=1,
        pieces=ids.size,
        truncated=False,
    )


@pytest.fixture(scope="module")
def order() -> WordOrder:
    # Pairs: A B four times, B A three times, A C once (forgotten); 8 pieces of vocabulary.
    return WordOrder.fit([windows([A, B, A, B, A, B, A, B], [A, C])], vocabulary=8)


def test_gains_are_those_of_absolute_discounting(order: WordOrder) -> None:
    # After A: 5 pairs of 2 kinds; reserved 0.75 * 2 / 5 = 0.3. p(B) = (4 + 0.5) / (8 + 4) = 0.375.
    # log((4 - 0.75) / 5 / 0.375 + 0.3).
    ab = float(order.gains[order.pairs.tolist().index(A * 8 + B)])
    assert ab == pytest.approx(math.log(3.25 / 5 / 0.375 + 0.3), abs=2e-3)
    assert float(order.unseen[A]) == pytest.approx(math.log(0.3), abs=1e-3)
    assert A * 8 + C not in order.pairs


def test_a_note_in_order_gains_and_one_out_of_order_does_not(order: WordOrder) -> None:
    gain, seen, _, _ = order.statistics(windows([A, B, A, B]), [""])
    assert (gain > 0.1, seen) == (True, 1.0)
    gain, seen, _, _ = order.statistics(windows([B, B, A, A]), [""])
    assert gain < 0
    assert seen == pytest.approx(1 / 3)


def test_a_single_word_says_nothing_of_order(order: WordOrder) -> None:
    assert np.isnan(order.statistics(windows([A]), ["x"])).all()


def test_capitals_after_full_stops_are_counted_against_those_elsewhere() -> None:
    # After a stop: "He" (1 of 1). Elsewhere: "is", "Anna", "was", … 1 of 5.
    assert sentence_case("Anna is ill. He met Anna was here") == pytest.approx(1 - 1 / 6)
    assert np.isnan(sentence_case("no sentence ends here"))


def test_word_order_survives_storage(order: WordOrder) -> None:
    again = WordOrder.from_arrays(order.to_arrays())
    note = windows([A, B, C, A])
    np.testing.assert_array_equal(again.statistics(note, ["x. Y"]), order.statistics(note, ["x. Y"]))
