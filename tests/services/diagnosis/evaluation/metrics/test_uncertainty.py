from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from services.diagnosis.evaluation.metrics.uncertainty import detect, false_acceptance, mutual_information, spearman
from services.diagnosis.evaluation.probes.ood import judge_scores
from services.diagnosis.inference.uncertainty import decompose

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("digits", [1, 9], ids=["tied", "distinct"])
def test_detection_is_that_of_scikit_learns_curve(digits: int) -> None:
    familiar, foreign = RNG.normal(size=300).round(digits), (RNG.normal(size=200) + 1.5).round(digits)
    truth, scores = np.repeat((0, 1), (300, 200)), np.concatenate([familiar, foreign])
    fpr, tpr, _ = roc_curve(1 - truth, -scores)
    found = detect(familiar, foreign, resamples=50)
    assert found["auroc"] == pytest.approx(roc_auc_score(truth, scores))
    assert found["fpr95"] == pytest.approx(fpr[np.argmax(tpr >= 0.95)])
    assert found["intervals"]["auroc"]["low"] < found["auroc"] < found["intervals"]["auroc"]["high"]


def test_weights_stand_for_copies() -> None:
    scores, foreign = RNG.normal(size=60).round(1), np.arange(60) >= 30
    weights = RNG.integers(0, 3, (5, 60)).astype(np.float64)
    rates = false_acceptance(scores, foreign, weights)
    for row, counts in enumerate(weights.astype(int)):
        fpr, tpr, _ = roc_curve(np.repeat(~foreign, counts), -np.repeat(scores, counts))
        assert rates[row] == pytest.approx(fpr[np.argmax(tpr >= 0.95)])


def test_absent_modalities_do_not_count() -> None:
    found = detect(np.array([0.1, np.nan]), np.array([0.9, 0.8, np.nan]), resamples=20)
    assert (found["n_familiar"], found["n_foreign"], found["auroc"]) == (1, 2, 1.0)


def test_an_empty_side_is_named() -> None:
    found = detect(np.array([0.1]), np.array([np.nan]), resamples=20)
    assert found["auroc"] is None
    assert found["reason"] == "one of the two groups is empty"


def test_the_same_patients_spoilt_are_resampled_together() -> None:
    # The foreign score is the familiar one plus a little: paired draws never lose the order within a patient.
    familiar = RNG.normal(size=50)
    names = np.arange(50).astype(str)
    paired = detect(familiar, familiar + 0.3, patients=(names, names), resamples=300)["intervals"]["auroc"]
    apart = detect(familiar, familiar + 0.3, resamples=300)["intervals"]["auroc"]
    assert paired["high"] - paired["low"] < 0.5 * (apart["high"] - apart["low"])


def test_mutual_information_is_that_of_the_predictor_case_by_case() -> None:
    members = RNG.dirichlet(np.ones(4), size=(5, 3))
    assert mutual_information(members) == pytest.approx([decompose(members[:, i]).epistemic for i in range(3)])


def test_members_that_contradict_each_other_share_one_bit() -> None:
    assert mutual_information(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))[0] == pytest.approx(np.log(2))


def test_rank_correlation_of_a_falling_and_of_a_constant_series() -> None:
    sizes = np.array([500.0, 1000, 2000, 4000])
    assert spearman(sizes, 1 / sizes) == pytest.approx(-1.0)
    assert spearman(sizes, np.ones(4)) is None


def test_the_same_scores_get_the_figures_that_the_report_on_strangers_gives_them() -> None:
    # Two programs, one definition.
    familiar, foreign = RNG.random(80).round(2), (RNG.random(80) + 0.4).round(2)
    names = np.arange(80).astype(str)
    other = judge_scores(familiar, {"kind": ("far", foreign)}, names, seed=0)
    found = detect(familiar, foreign, patients=(names, names), resamples=20)
    assert (found["auroc"], found["fpr95"]) == pytest.approx((other["auroc"], other["fpr95"]))
