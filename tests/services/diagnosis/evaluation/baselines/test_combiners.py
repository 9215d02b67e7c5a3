"""Late fusion against hand calculation and scikit-learn."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from services.diagnosis.evaluation.baselines.combiners import (
    LateAverage,
    LogisticStacking,
    NaiveBayesLogOdds,
    fit_logistic,
)
from services.diagnosis.evaluation.baselines.features import Array, Features
from services.diagnosis.evaluation.baselines.learned import LearnedBaseline
from services.diagnosis.evaluation.baselines.perceptrons import Alone
from tests.services.diagnosis.evaluation.baselines.problems import QUICK, SHAPE


class Expert(LearnedBaseline):
    """Says the same of every case."""

    def __init__(self, modality: int, event: float) -> None:
        super().__init__("expert", SHAPE, partial(Alone, modality=modality), QUICK, seen=(modality,))
        self.event = event

    def member_logits(self, features: Features) -> Array:
        return np.tile(np.log([1 - self.event, self.event]), (1, len(features), 1))


EXPERTS = [Expert(0, 0.8), Expert(1, 0.7), Expert(2, 0.4)]


def case(*available: bool) -> Features:
    return Features(np.zeros((1, 3, SHAPE.dim), np.float32), None, np.array([available]), ("image", "note", "vitals"))


def test_probabilities_are_averaged_over_what_is_there() -> None:
    answer = LateAverage("late-average", SHAPE, EXPERTS).probabilities(case(True, True, False))
    assert answer[0, 1] == pytest.approx(0.75)


def test_odds_multiply_under_an_even_prior() -> None:
    answer = NaiveBayesLogOdds("naive-bayes-log-odds", SHAPE, EXPERTS).probabilities(case(True, True, False))
    assert answer[0, 1] == pytest.approx(4 * 7 / 3 / (1 + 4 * 7 / 3))  # odds 4 and 7/3


def test_the_prior_is_counted_once() -> None:
    combiner = NaiveBayesLogOdds("naive-bayes-log-odds", SHAPE, EXPERTS)
    combiner.prior = np.array([0.8, 0.2])
    # Posterior odds 4, 7/3 and 2/3 over prior odds 1/4: 1/4 * 16 * 28/3 * 8/3.
    odds = 0.25 * 16 * (28 / 3) * (8 / 3)
    assert combiner.probabilities(case(True, True, True))[0, 1] == pytest.approx(odds / (1 + odds))


def test_one_modality_is_what_its_expert_says() -> None:
    for kind in (LateAverage, NaiveBayesLogOdds):
        assert kind("x", SHAPE, EXPERTS).probabilities(case(False, True, False))[0, 1] == pytest.approx(0.7)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_weights_of_stacking_are_those_of_scikit_learn(classes: int) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 4))
    labels = rng.integers(0, classes, 200)
    weights, intercept = fit_logistic(inputs, labels, classes, 1.0)
    reference = LogisticRegression(C=1.0, max_iter=2000, tol=1e-3).fit(inputs, labels).predict_proba(inputs)
    raised = np.exp(inputs @ weights + intercept)
    np.testing.assert_allclose(raised / raised.sum(1, keepdims=True), reference, atol=1e-12)


def test_a_class_without_a_training_case_is_as_good_as_impossible() -> None:
    rng = np.random.default_rng(0)
    weights, intercept = fit_logistic(rng.normal(size=(60, 4)), rng.integers(0, 2, 60) * 2, 3, 1.0)
    assert (weights[:, 1] == 0).all()
    assert intercept[1] < -20


def test_stacking_needs_answers_of_experts_that_did_not_see_the_case() -> None:
    from services.diagnosis.evaluation.baselines.features import Examples

    examples = Examples(case(True, True, True), np.array([0]), 2)
    with pytest.raises(ValueError, match="fitted in the same run"):
        LogisticStacking("logistic-stacking", SHAPE, EXPERTS).fit(examples, examples, seed=1)
