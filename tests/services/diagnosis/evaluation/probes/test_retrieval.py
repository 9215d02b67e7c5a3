from __future__ import annotations

import numpy as np
import pytest

from services.diagnosis.evaluation.probes.retrieval import QUERIES_AT_ONCE, chance_of, measure_retrieval, ranks_of
from services.diagnosis.evaluation.subject import Table
from services.diagnosis.model.modalities import MODALITIES

RNG = np.random.default_rng(0)


def table(pooled: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None, n: int = 100) -> Table:
    return Table(
        labels=np.zeros(n, np.int64),
        patients=np.arange(n).astype(str),
        members={},
        sets={},
        available=np.ones((n, len(MODALITIES)), np.bool_),
        ood={},
        coverage=0.9,
        pooled=pooled,
    )


def test_a_shared_space_finds_every_patient() -> None:
    shared = RNG.normal(size=(100, 1, 16)).astype(np.float32).repeat(4, 1) * np.array([1, 2, 3, 4], np.float32)[:, None]
    found = measure_retrieval(table(shared), seed=1)
    assert len(found) == 13  # n and twelve ordered pairs
    assert found["image_to_note"]["recall_at_1"] == 1
    assert found["vitals_to_image"]["median_rank"] == 1


def test_unrelated_spaces_find_as_many_as_chance() -> None:
    found = measure_retrieval(table(RNG.normal(size=(100, 4, 16)).astype(np.float32)), seed=1)["image_to_note"]
    assert found["recall_at_10_chance"] == pytest.approx(0.1)
    assert found["intervals"]["recall_at_10"]["low"] < 0.1 < found["intervals"]["recall_at_10"]["high"] + 0.05
    assert 30 < found["median_rank"] < 70


def test_a_space_in_which_all_is_one_finds_nobody() -> None:
    assert measure_retrieval(table(np.ones((100, 4, 4), np.float32)), seed=1)["note_to_vitals"]["recall_at_10"] == 0


def test_chance_with_several_cases_of_a_patient_by_hand() -> None:
    """Of four cases two are one patient's: one draw finds it with 1/2, the others with 1/4 each."""
    assert chance_of(np.array(["a", "a", "b", "c"]), 1) == pytest.approx((0.5 + 0.5 + 0.25 + 0.25) / 4)
    assert chance_of(np.array(["a", "b"]), 10) == 1


def test_any_case_of_the_same_patient_is_a_hit() -> None:
    gallery = np.array([[0, 1], [1, 0], [1, 1]], np.float32)
    ranks = ranks_of(np.array([[1, 0], [1, 0], [1, 0]], np.float32), gallery, np.array(["a", "a", "b"]))
    assert ranks.tolist() == [1, 1, 2]


def test_more_queries_than_are_asked_at_once_have_the_same_ranks() -> None:
    n = QUERIES_AT_ONCE + 30
    queries, gallery = RNG.normal(size=(2, n, 8)).astype(np.float32)
    patients = (np.arange(n) % (n // 2)).astype(str)
    ranks = ranks_of(queries, gallery, patients)
    for row in (0, QUERIES_AT_ONCE - 1, QUERIES_AT_ONCE, n - 1):
        cosine = gallery @ queries[row] / np.linalg.norm(gallery, axis=1)
        own = patients == patients[row]
        assert ranks[row] == 1 + (cosine[~own] > cosine[own].max()).sum()


def test_a_subject_without_features_has_no_retrieval() -> None:
    assert measure_retrieval(table(None), seed=1) == {"n": 100}
