from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.evaluation.baselines.extractors import SUMMARIES, NoteVectors, note_vectors, summarise

TIMES = np.array([0.0, 1.0, 2.0, 4.0])


def test_the_summaries_of_one_variable_by_hand() -> None:
    found = summarise(TIMES, ["HR", "HR", "Temp", "HR"], np.array([80.0, 90.0, 37.0, 100.0]), ["HR"])
    by_name = dict(zip(SUMMARIES, found, strict=True))
    slope = np.polyfit([0, 1, 4], [80, 90, 100], 1)[0]
    expected = {"first": 80, "last": 100, "min": 80, "max": 100, "mean": 90, "std": np.std([80, 90, 100]), "count": 3}
    assert by_name == pytest.approx({**expected, "slope": slope})


def test_a_variable_without_a_reading_is_unknown_and_counted_zero() -> None:
    found = summarise(TIMES, ["HR"] * 4, np.ones(4), ["HR", "Lactate"])
    assert np.isnan(found[8:15]).all()
    assert found[15] == 0


def test_a_single_reading_has_no_slope() -> None:
    assert summarise(TIMES[:1], ["HR"], np.array([80.0]), ["HR"]).tolist() == [80, 80, 80, 80, 80, 0, 0, 1]


TEXTS = ["fever and cough", "fever and chills", "ankle fracture", "ankle pain", "cough and chills"] * 2


def test_notes_on_the_same_matter_are_closer_than_others() -> None:
    vectors = NoteVectors.fit(TEXTS, dim=3, seed=0).vectors(["fever and cough", "fever and chills", "ankle fracture"])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.5


def test_words_of_other_than_training_notes_are_unknown() -> None:
    texts = [*TEXTS, "haemoptysis haemoptysis", "haemoptysis"]
    vectors = note_vectors(texts, np.arange(10), dim=3, seed=0)
    np.testing.assert_array_equal(vectors[10:], 0)
    assert (np.linalg.norm(vectors[:10], axis=1) > 0.1).all()


def test_a_case_without_a_note_has_no_vector() -> None:
    vectors = note_vectors([*TEXTS, None], np.arange(11), dim=3, seed=0)
    assert np.isnan(vectors[10]).all()
    assert not np.isnan(vectors[:10]).any()


def test_too_few_notes_to_learn_from_say_only_that_they_are_there() -> None:
    vectors = note_vectors(["one note alone", None], np.arange(2), dim=3, seed=0)
    np.testing.assert_array_equal(vectors, [[0], [np.nan]])
