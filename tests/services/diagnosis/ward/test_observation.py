"""What is missing and what is recorded follow their stated probabilities."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from services.diagnosis.ward.conditions import BY_DIAGNOSIS
from services.diagnosis.ward.observation import PATTERNS, Missingness, draw_recorded, label_transition

DRAWS = 20_000


def test_the_probabilities_of_the_patterns_by_hand() -> None:
    # image missing in 0.2, note in 0.5, vitals in 0.1; nothing at all in 0.01, which is shared out over single ones
    chances = Missingness(by_diagnosis={"image": (0.2,), "note": (0.5,), "vitals": (0.1,)}).probabilities(1)
    assert chances["image", "note", "vitals"] == pytest.approx(0.8 * 0.5 * 0.9)
    assert chances["image", "vitals"] == pytest.approx(0.8 * 0.5 * 0.9)
    assert chances[("note",)] == pytest.approx(0.2 * 0.5 * 0.1 + 0.01 / 3)


def test_either_reason_is_enough_to_be_missing() -> None:
    both = Missingness(at_random=0.5, by_diagnosis={"note": (0.2,)})
    np.testing.assert_allclose(both.absence(1), [[0.5, 0.6, 0.5]])


@pytest.mark.parametrize("missingness", [Missingness(0.3), Missingness(1.0), Missingness(0.2, BY_DIAGNOSIS)], ids=str)
def test_the_patterns_exhaust_all_that_can_be(missingness: Missingness) -> None:
    np.testing.assert_allclose(sum(missingness.probabilities(8).values()), 1)


@pytest.mark.parametrize("label", [0, 6])
def test_patients_lack_what_their_diagnosis_says_as_often_as_stated(label: int) -> None:
    missingness, rng = Missingness(0.1, BY_DIAGNOSIS), np.random.default_rng(1)
    came = Counter(missingness.draw(label, 8, rng) for _ in range(DRAWS))
    for pattern in PATTERNS:
        expected = missingness.probabilities(8)[pattern][label]
        assert abs(came[pattern] / DRAWS - expected) < 4.5 * np.sqrt(expected * (1 - expected) / DRAWS), pattern


def test_recorded_labels_follow_the_transition() -> None:
    rng = np.random.default_rng(2)
    came = np.bincount([draw_recorded(2, 0.3, 8, rng) for _ in range(DRAWS)], minlength=8) / DRAWS
    expected = label_transition(0.3, 8)[2]
    assert (np.abs(came - expected) < 4.5 * np.sqrt(expected * (1 - expected) / DRAWS)).all()
    assert expected[2] == pytest.approx(0.7)
    np.testing.assert_allclose(label_transition(0.3, 8).sum(axis=1), 1)


def test_without_noise_the_record_is_right() -> None:
    rng = np.random.default_rng(3)
    assert {draw_recorded(5, 0.0, 8, rng) for _ in range(1000)} == {5}
