"""Every baseline on problems whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from services.diagnosis.evaluation.baselines.features import Features
from services.diagnosis.evaluation.baselines.learned import LearnedBaseline
from services.diagnosis.evaluation.baselines.suite import BaselineSuite, count_steps, fit_baselines
from tests.services.diagnosis.evaluation.baselines.conftest import fitted
from tests.services.diagnosis.evaluation.baselines.problems import QUICK, accuracy, redundant, synergy, unique

pytestmark = pytest.mark.slow  # trains every baseline several times

NAMES = {
    "image-alone", "note-alone", "vitals-alone", "early-concatenation", "late-average", "logistic-stacking",
    "zero-imputation", "lstm-medfuse", "gate-drfuse", "naive-bayes-log-odds",
}  # fmt: skip
JOINT = ("early-concatenation", "lstm-medfuse", "gate-drfuse")
LATE = ("late-average", "naive-bayes-log-odds", "logistic-stacking")
IMAGE, NOTE_AND_VITALS = (True, False, False), (False, True, True)


def test_the_names_are_those_of_the_published_table(of_unique: BaselineSuite) -> None:
    assert set(of_unique.names) == NAMES


def test_where_one_modality_knows_all_it_alone_is_as_good_as_any_fusion(of_unique: BaselineSuite) -> None:
    new = unique(2000, 3)
    auroc = {
        name: roc_auc_score(new.labels, of_unique.probabilities(name, new.features)[:, 1]) for name in of_unique.names
    }
    best_possible = roc_auc_score(new.labels, new.features.pooled[:, 0, 0])  # the log-odds themselves
    assert auroc["image-alone"] == pytest.approx(best_possible, abs=0.015)
    assert auroc["image-alone"] >= max(auroc.values()) - 0.005


@pytest.mark.parametrize("name", ["note-alone", "vitals-alone"])
def test_a_modality_that_knows_nothing_is_chance(of_unique: BaselineSuite, name: str) -> None:
    new = unique(2000, 3)
    # Chance has a standard error of 0.013 at 2,000 cases.
    assert roc_auc_score(new.labels, of_unique.probabilities(name, new.features)[:, 1]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", JOINT)
def test_joint_models_learn_an_exclusive_or(of_synergy: BaselineSuite, name: str) -> None:
    new = synergy(1000, 3)
    assert accuracy(of_synergy.probabilities(name, new.features), new) > 0.9


@pytest.mark.parametrize("name", LATE)
def test_late_fusion_cannot_learn_an_exclusive_or(of_synergy: BaselineSuite, name: str) -> None:
    new = synergy(1000, 3)
    assert accuracy(of_synergy.probabilities(name, new.features), new) == pytest.approx(0.5, abs=0.06)


def test_conditionally_independent_evidence_is_best_multiplied(of_redundant: BaselineSuite) -> None:
    new = redundant(4000, 3, offset=3.0)
    # Three entries of N(+-1, 1) given the class: log-odds 2 (x1 + x2 + x3), by hand.
    optimal = 1 / (1 + np.exp(-2 * (new.features.pooled[:, :, 0] - 3.0).sum(axis=1)))
    naive = of_redundant.probabilities("naive-bayes-log-odds", new.features)[:, 1]
    average = of_redundant.probabilities("late-average", new.features)[:, 1]
    assert log_loss(new.labels, naive) - log_loss(new.labels, optimal) < 0.02
    assert log_loss(new.labels, naive) < log_loss(new.labels, average)


def test_zeros_for_what_is_absent_end_in_chance_and_calibration_mends_only_part(of_redundant: BaselineSuite) -> None:
    new = redundant(2000, 3, offset=3.0)
    # Phi(1) = 0.841 from one modality, Phi(sqrt 3) = 0.958 from three.
    assert accuracy(of_redundant.probabilities("zero-imputation", new.features), new) == pytest.approx(0.958, abs=0.02)
    image = new.features.under(IMAGE)
    early = of_redundant.probabilities("early-concatenation", image)
    assert accuracy(early, new) == pytest.approx(0.841, abs=0.03)
    raw = of_redundant.probabilities("zero-imputation", image, calibrated=False)
    assert accuracy(raw, new) == pytest.approx(0.5, abs=0.1)
    mended = of_redundant.probabilities("zero-imputation", image)
    assert log_loss(new.labels, early[:, 1]) + 0.05 < log_loss(new.labels, mended[:, 1])
    assert log_loss(new.labels, mended[:, 1]) < log_loss(new.labels, raw[:, 1])


def test_what_a_modality_says_alone_does_not_depend_on_the_others(of_redundant: BaselineSuite) -> None:
    features = redundant(50, 3, offset=3.0).features
    np.testing.assert_array_equal(
        of_redundant.probabilities("image-alone", features),
        of_redundant.probabilities("image-alone", features.under(IMAGE)),
    )


@pytest.mark.parametrize("name", sorted(NAMES - {"image-alone"}))
def test_nothing_absent_is_looked_at(of_redundant: BaselineSuite, name: str) -> None:
    features = redundant(50, 3, offset=3.0).features
    spoiled = features.pooled.copy()
    spoiled[:, 0] = np.nan
    other = replace(features, pooled=spoiled).under(NOTE_AND_VITALS)
    np.testing.assert_array_equal(
        of_redundant.probabilities(name, features.under(NOTE_AND_VITALS)), of_redundant.probabilities(name, other)
    )


def test_without_its_modality_an_expert_says_the_prevalence(of_redundant: BaselineSuite) -> None:
    train = redundant(600, 1)
    answer = of_redundant.probabilities("image-alone", train.features.take(np.arange(3)).under(NOTE_AND_VITALS))
    share = (train.labels.sum() + 1) / (600 + 2)
    np.testing.assert_allclose(answer[:, 1], share)


def test_probabilities_sum_to_one_for_mixed_patterns(of_redundant: BaselineSuite) -> None:
    features = redundant(70, 3, offset=3.0).features
    masks = np.array([[i & 1, i & 2, i & 4] for i in range(1, 8)], np.bool_)
    mixed = features.under(np.tile(masks, (10, 1)))
    for name in of_redundant.names:
        np.testing.assert_allclose(of_redundant.probabilities(name, mixed).sum(axis=1), 1, atol=1e-9)


@pytest.mark.parametrize("mask", [IMAGE, NOTE_AND_VITALS, (True, True, True)])
def test_calibration_lowers_the_loss_of_the_averaged_experts(
    of_redundant: BaselineSuite, mask: tuple[bool, ...]
) -> None:
    """An average of probabilities that should be multiplied is too timid wherever there are several."""
    new = redundant(4000, 3, offset=3.0)
    features = new.features.under(mask)
    raw, calibrated = (
        log_loss(new.labels, of_redundant.probabilities("late-average", features, calibrated=flag)[:, 1])
        for flag in (False, True)
    )
    assert calibrated < (raw - 0.05 if sum(mask) > 1 else raw + 0.005)


def test_a_stored_suite_answers_to_the_last_bit(of_redundant: BaselineSuite, tmp_path: Path) -> None:
    features = redundant(100, 3, offset=3.0).features
    of_redundant.save(tmp_path)
    again = BaselineSuite.load(tmp_path)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".safetensors"}
    assert again.names == of_redundant.names
    for name in again.names:
        np.testing.assert_array_equal(
            again.probabilities(name, features.under(IMAGE)), of_redundant.probabilities(name, features.under(IMAGE))
        )


def test_features_of_other_sizes_are_refused(of_redundant: BaselineSuite) -> None:
    other = Features(np.zeros((1, 3, 4), np.float32), None, np.ones((1, 3), np.bool_), ("image", "note", "vitals"))
    with pytest.raises(ValueError, match="dimension 6"):
        of_redundant.probabilities("late-average", other)


def test_the_seed_decides_whatever_the_processes() -> None:
    train, held_out, new = redundant(200, 1), redundant(100, 2), redundant(50, 3)
    one, two = (fitted(train, held_out, processes=processes) for processes in (1, 2))
    for name in one.names:
        np.testing.assert_array_equal(one.probabilities(name, new.features), two.probabilities(name, new.features))


def test_every_step_is_counted_and_every_setting_tried() -> None:
    train, held_out, steps = redundant(200, 1), redundant(100, 2), list[None]()
    suite = fit_baselines(
        train.features, train.labels, held_out.features, held_out.labels,
        classes=2, seed=1, budget=QUICK, on_step=lambda: steps.append(None),
    )  # fmt: skip
    assert len(steps) == count_steps(QUICK, 3)
    learned = [one for one in suite.baselines.values() if isinstance(one, LearnedBaseline)]
    assert len(learned) == 7
    for one in learned:
        assert len(one.tried) == len(QUICK.grid)
        assert one.setting == QUICK.grid[int(np.argmin(one.tried))]
