from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from services.diagnosis.evaluation.metrics.availability import (
    availability_only,
    availability_shift,
    evaluate_availability,
    natural_against_replayed,
)
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from tests.services.diagnosis.evaluation.metrics.tables import calibrated, evidence, posteriors, table_of

RNG = np.random.default_rng(11)


def names(n: int) -> np.ndarray:
    return np.arange(n).astype(str)


def test_a_label_that_decides_what_is_recorded_is_read_from_the_mask() -> None:
    # Vitals are recorded for 90 % of class 1 and 30 % of class 0: AUROC of the mask = 0.5 + (0.9 - 0.3) / 2.
    labels = RNG.integers(0, 2, 4000)
    held = np.ones((4000, len(MODALITIES)), np.bool_)
    held[:, 2] = RNG.random(4000) < np.where(labels == 1, 0.9, 0.3)
    found = availability_only(held, labels, names(4000), resamples=200)["macro_auroc"]
    assert found["value"] == pytest.approx(roc_auc_score(labels, held[:, 2]), abs=1e-3)
    assert found["low"] < 0.8 < found["high"]


def test_gaps_at_random_tell_nothing() -> None:
    labels = RNG.integers(0, 4, 2000)
    held = RNG.random((2000, len(MODALITIES))) < 0.7
    found = availability_only(held, labels, names(2000), resamples=200)["macro_auroc"]
    assert found["low"] < 0.5 < found["high"]
    assert found["value"] == pytest.approx(0.5, abs=0.03)


def test_patients_are_never_on_both_sides_of_a_fold() -> None:
    # Each patient has its own label at random and the same mask in all of its cases: nothing to learn between patients.
    labels, held = np.repeat(RNG.integers(0, 2, 300), 5), np.repeat(RNG.random((300, len(MODALITIES))) < 0.5, 5, axis=0)
    found = availability_only(held, labels, np.repeat(names(300), 5), resamples=100)["macro_auroc"]
    assert found["low"] < 0.5 + 0.05


def test_without_gaps_there_is_nothing_to_read() -> None:
    found = availability_only(np.ones((50, len(MODALITIES)), np.bool_), RNG.integers(0, 2, 50), names(50))
    assert (found["macro_auroc"], found["reason"]) == (None, "every case holds the same modalities")


def test_a_class_of_few_patients_is_named_as_the_reason() -> None:
    labels = np.array([1] * 3 + [0] * 97)
    found = availability_only(RNG.random((100, len(MODALITIES))) < 0.5, labels, names(100))
    assert found["reason"] == "a class has fewer than 5 patients"


def leaking(n: int, pattern: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A subject that holds the third class for likelier, by one unit of log-odds, when asked under the pattern."""
    labels, log_likelihood = evidence(n)
    answers = posteriors(log_likelihood)
    return answers | {pattern: softmax(np.log(answers[pattern]) + np.array([0.0, 0.0, 1.0]), axis=1)}, labels


def test_a_subject_that_takes_absence_for_evidence_is_caught_at_the_pattern_and_class() -> None:
    answers, labels = leaking(1500, "image+note")
    found = availability_shift(table_of(answers, labels), resamples=300)
    assert (found["largest"]["pattern"], found["largest"]["class"]) == ("image+note", "2")
    expected = answers["image+note"][:, 2].mean() - (labels == 2).mean()
    assert found["largest"]["value"] == found["largest_absolute"] == pytest.approx(expected)
    assert found["largest"]["low"] > 0.05
    assert found["beyond_interval"] > 0.03


def test_an_honest_subject_departs_by_chance_alone() -> None:
    beyond = [availability_shift(calibrated(400, seed=seed), resamples=200)["beyond_interval"] for seed in range(20)]
    # The band holds for all cells at once in 95 % of samples: of twenty, five failures have a probability of 0.0026.
    assert sum(value > 0 for value in beyond) <= 4


def test_the_shift_is_measured_on_full_cases_only() -> None:
    labels, log_likelihood = evidence(200)
    held = np.ones((200, len(MODALITIES)), np.bool_)
    held[:50, 0] = False
    assert availability_shift(table_of(posteriors(log_likelihood), labels, available=held), resamples=20)["n"] == 150


def test_without_a_full_case_there_is_no_shift() -> None:
    labels, log_likelihood = evidence(40)
    held = np.ones((40, len(MODALITIES)), np.bool_)
    held[:, 0] = False
    found = availability_shift(table_of(posteriors(log_likelihood), labels, available=held))
    assert (found["n"], found["largest"], found["reason"]) == (0, None, "no fully observed case")


def test_natural_answers_that_are_better_than_replayed_ones_show() -> None:
    # Whoever has the image alone is an easy case: his evidence is three times as strong.
    labels, log_likelihood = evidence(1200)
    alone = np.arange(1200) < 400
    held = np.ones((1200, len(MODALITIES)), np.bool_)
    held[alone, 1:] = False
    log_likelihood["image"] = log_likelihood["image"] + np.where(alone, 3.0, 0.0)[:, None] * np.eye(3)[labels]
    found = natural_against_replayed(table_of(posteriors(log_likelihood), labels, available=held), resamples=200)
    image = found["image"]
    answers = posteriors(log_likelihood)["image"]
    assert (image["n_natural"], image["n_replayed"]) == (400, 800)
    assert image["natural"]["value"] == pytest.approx(roc_auc_score(labels[alone], answers[alone], multi_class="ovr"))
    assert image["replayed"]["value"] == pytest.approx(
        roc_auc_score(labels[~alone], answers[~alone], multi_class="ovr")
    )
    assert image["difference"]["low"] > 0.1
    assert (found["note"]["difference"], found["note"]["n_natural"]) == (None, 0)


def test_at_random_natural_and_replayed_agree() -> None:
    labels, log_likelihood = evidence(3000)
    held = RNG.random((3000, len(MODALITIES))) < 0.6
    held[~held.any(1)] = True
    found = natural_against_replayed(table_of(posteriors(log_likelihood), labels, available=held), resamples=100)
    inside = [part["difference"]["low"] <= 0 <= part["difference"]["high"] for part in found.values()]
    assert len(found) == len(PATTERNS) - 1
    assert sum(inside) >= 5


def test_the_whole_chapter_is_json() -> None:
    found = evaluate_availability(calibrated(60), resamples=10, classes=("a", "b", "c"))
    assert set(found["shift"]["cells"]["note"]) == {"a", "b", "c"}
    assert set(found) == {"availability_only", "shift", "natural_against_replayed"}
    json.dumps(found, allow_nan=False)
