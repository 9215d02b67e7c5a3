"""Cross-validation: nobody's patients on both sides, everyone under the same folds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from services.diagnosis.evaluation.baselines.baseline import Shape
from services.diagnosis.evaluation.baselines.classical import gradient_boosting, logistic_regression
from services.diagnosis.evaluation.baselines.crossval import (
    OURS,
    Labelled,
    answer_fold,
    build_candidates,
    cross_validate,
    grouped_folds,
)
from services.diagnosis.evaluation.baselines.features import Examples, Features, Rows
from services.diagnosis.evaluation.baselines.learned import Budget
from services.diagnosis.evaluation.baselines.network import Setting
from tests.services.diagnosis.evaluation.baselines.problems import QUICK, SHAPE, accuracy, redundant, synergy

pytestmark = pytest.mark.slow  # trains every baseline for each fold

SHORT = Budget(epochs=30, members=2, grid=(Setting(24, 1e-2, 0.0),))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_no_patient_is_on_both_sides_and_every_case_is_tested_once() -> None:
    rng = np.random.default_rng(0)
    cohort = Labelled(rng.integers(0, 2, 200), rng.integers(0, 40, 200).astype(np.str_), 2)
    folds = grouped_folds(cohort, 5, seed=1)
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(200))
    for train, test in folds:
        assert not set(cohort.patients[train]) & set(cohort.patients[test])


def test_fewer_patients_than_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least as many patients"):
        grouped_folds(Labelled(np.array([0, 1, 0]), np.array(["a", "a", "b"]), 2), 3, seed=1)


def test_what_is_learned_for_a_fold_never_comes_from_its_test_or_calibration_patients() -> None:
    problem, asked = redundant(120, 1), list[Rows]()
    cohort = Labelled(problem.labels, (np.arange(120) // 2).astype(np.str_), 2)

    def make(train: Rows, _: int) -> Features:
        asked.append(train)
        return problem.features

    rest, test = grouped_folds(cohort, 3, seed=1)[0]
    answer_fold(make, cohort, rest, test, seed=1, budget=SHORT, names=["late-average"])
    (train,) = asked
    assert set(train) < set(rest)
    assert len(train) == pytest.approx(0.8 * len(rest), abs=2)
    assert not set(cohort.patients[train]) & set(cohort.patients[np.setdiff1d(np.arange(120), train)])


def test_our_fusion_and_the_joint_baseline_learn_a_synergy_and_late_fusion_does_not() -> None:
    problem = synergy(800, 1)
    names = [OURS, "early-concatenation", "late-average"]
    found = cross_validate(
        problem.features, problem.labels, np.arange(800).astype(np.str_), classes=2, folds=2, budget=SHORT, names=names
    )
    assert {name: answers.shape for name, answers in found.items()} == dict.fromkeys(names, (1, 800, 2))
    reached = {name: accuracy(answers[0], problem) for name, answers in found.items()}
    assert reached[OURS] > 0.9
    assert reached["early-concatenation"] > 0.9
    assert reached["late-average"] < 0.6


def test_knowing_the_patient_does_not_help() -> None:
    """Labels are the patient's alone and so are the features: whoever splits by row scores 100 %."""
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(60), 4)
    pooled, labels = rng.normal(size=(60, 1, 8))[patients], rng.permutation(np.arange(60) % 2)[patients]
    features = Features(pooled.astype(np.float32), None, np.ones((240, 1), np.bool_), ("vitals",))
    names = ["gradient-boosting", "vitals-alone"]
    found = cross_validate(
        features, labels, patients.astype(np.str_), classes=2, folds=3, budget=SHORT, names=names, seeds=(1, 2)
    )
    for answers in found.values():
        assert (answers[0] != answers[1]).any()  # other folds, other answers
        reached = (answers.argmax(-1) == labels).mean()
        assert reached == pytest.approx(0.5, abs=0.2)  # 60 patients: two standard errors are 0.13


def test_every_candidate_can_be_asked_whatever_the_modalities() -> None:
    names = set(build_candidates(Shape(2, 4, 0, 3), ("note", "vitals"), QUICK))
    assert names == {
        "note-alone", "vitals-alone", "early-concatenation", "zero-imputation", "lstm-medfuse", "gate-drfuse",
        "late-average", "logistic-stacking", "naive-bayes-log-odds", OURS, "gradient-boosting", "logistic-regression",
    }  # fmt: skip


@pytest.mark.parametrize("build", [gradient_boosting, logistic_regression])
def test_the_classical_ones_come_close_to_the_optimum_with_all_and_with_one(build: type) -> None:
    train, held_out, new = redundant(600, 1), redundant(300, 2), redundant(2000, 3)
    one = build(SHAPE)
    one.fit(train, held_out, seed=1)
    # Phi(sqrt 3) = 0.958 with three, Phi(1) = 0.841 with one.
    assert accuracy(one.probabilities(new.features), new) > 0.92
    image = new.features.under([True, False, False])
    assert accuracy(one.probabilities(image), new) == pytest.approx(0.841, abs=0.09)


@pytest.mark.parametrize("build", [gradient_boosting, logistic_regression])
def test_an_entry_that_no_training_case_knows_is_left_out(build: type) -> None:
    problem = redundant(200, 1)
    problem.features.pooled[:, 1, 3] = np.nan
    one = build(SHAPE)
    one.fit(problem, problem, seed=1)
    whole = one.probabilities(problem.features)
    problem.features.pooled[:, 1, 3] = 5.0
    np.testing.assert_array_equal(one.probabilities(problem.features), whole)


def test_a_class_that_only_the_test_cases_have_is_as_good_as_impossible() -> None:
    problem = redundant(200, 1)
    examples = Examples(problem.features, problem.labels, 3)
    one = logistic_regression(Shape.of(examples))
    one.fit(examples, examples, seed=1)
    assert (one.probabilities(problem.features)[:, 2] < 0.01).all()
