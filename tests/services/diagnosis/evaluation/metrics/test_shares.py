from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit, logit

from services.diagnosis.evaluation.metrics.shares import class_shares, modality_shares, shapley_of_cases
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from tests.services.diagnosis.evaluation.metrics.tables import calibrated, deaf_to, evidence, posteriors, table_of


def additive(weights: dict[str, float], n: int = 50) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Two classes whose log-odds are a sum over the modalities, and a base of 0."""
    rng = np.random.default_rng(0)
    odds = {m: weight * rng.normal(size=n) for m, weight in weights.items()}
    total = {p: expit(sum(odds[m] for m in p.split("+"))) for p in PATTERNS}
    return {p: np.stack([1 - q, q], axis=1) for p, q in total.items()}, odds, rng.integers(0, 2, n)


def test_of_a_sum_of_log_odds_each_modality_is_given_its_summand() -> None:
    answers, odds, _ = additive({"image": 1.0, "note": 2.0, "vitals": 0.5, "tabular": 0.7})
    values, error, top = shapley_of_cases(answers, np.array([0.5, 0.5]), MODALITIES)
    expected = np.stack([odds[m] for m in MODALITIES], axis=1) * np.where(top == 1, 1, -1)[:, None]
    assert values == pytest.approx(expected, abs=1e-9)
    assert error < 1e-12


def test_shares_are_the_parts_of_the_mean_absolute_values() -> None:
    answers, odds, labels = additive({"image": 1.0, "note": 2.0, "vitals": 0.0, "tabular": 0.7})
    found = modality_shares(table_of(answers, labels), prevalence=np.array([0.5, 0.5]), resamples=100)
    sizes = {m: np.abs(odds[m]).mean() for m in MODALITIES}
    assert found["share"]["image"] == pytest.approx(sizes["image"] / sum(sizes.values()))
    assert sum(found["share"].values()) == pytest.approx(1.0)
    assert (found["laziest"], found["min_share"]) == ("vitals", pytest.approx(0.0, abs=1e-9))
    ends = found["intervals"]["share"]["note"]
    assert ends["low"] < found["share"]["note"] < ends["high"]


def test_an_exclusive_or_of_two_modalities_is_shared_in_halves() -> None:
    labels = np.tile((0, 1), 50)
    blank = np.full((100, 2), 0.5)
    told = np.where(np.eye(2)[labels] == 1, 0.95, 0.05)
    answers = {p: told if {"image", "note"} <= set(p.split("+")) else blank for p in PATTERNS}
    found = modality_shares(table_of(answers, labels), prevalence=np.array([0.5, 0.5]), resamples=20)
    assert [found["share"][m] for m in MODALITIES] == pytest.approx([0.5, 0.5, 0.0, 0.0])
    values, _, _ = shapley_of_cases(answers, np.array([0.5, 0.5]), MODALITIES)
    assert values[0, 0] == pytest.approx(logit(0.95) / 2)


def test_the_oracle_as_subject_has_the_oracles_shares() -> None:
    found = modality_shares(calibrated(300), resamples=20)
    assert found["oracle"]["share"] == pytest.approx(found["share"])
    assert found["share"]["note"] > found["share"]["image"] > found["share"]["vitals"]


def test_a_deaf_subject_stands_out_against_the_oracle() -> None:
    labels, log_likelihood = evidence(800)
    exact = posteriors(log_likelihood)
    deaf = deaf_to("note", exact)
    found = modality_shares(table_of(deaf, labels, posterior=exact), prevalence=np.full(3, 1 / 3), resamples=100)
    assert found["laziest"] == "note"
    assert found["min_share"] == pytest.approx(0.0, abs=1e-9)
    assert found["oracle"]["share"]["note"] > 0.4
    assert found["utilisation"]["note"]["rate"] is None  # alone it knows nothing
    assert found["utilisation"]["note"]["conditional"] == 0.0
    assert found["utilisation"]["image"]["intervals"]["rate"]["low"] > 0.3


def test_classes_are_told_apart_by_the_top_class() -> None:
    found = modality_shares(calibrated(200), resamples=10, classes=("a", "b", "c"))
    assert set(found["by_class"]) == {"a", "b", "c"}
    assert sum(entry["n"] for entry in found["by_class"].values()) == found["n"] == 200
    json.dumps(found, allow_nan=False)


def test_cases_that_lack_a_modality_are_left_out() -> None:
    labels, log_likelihood = evidence(100)
    held = np.ones((100, len(MODALITIES)), np.bool_)
    held[:30, 1] = False
    assert modality_shares(table_of(posteriors(log_likelihood), labels, available=held), resamples=10)["n"] == 70


def test_without_a_full_case_there_are_no_shares() -> None:
    labels, log_likelihood = evidence(20)
    held = np.ones((20, len(MODALITIES)), np.bool_)
    held[:, 1] = False
    with pytest.raises(ValueError, match="every subset"):
        modality_shares(table_of(posteriors(log_likelihood), labels, available=held))


def test_no_class_has_prevalence_zero() -> None:
    assert class_shares(np.array([0, 0, 1]), 3) == pytest.approx([3 / 6, 2 / 6, 1 / 6])
