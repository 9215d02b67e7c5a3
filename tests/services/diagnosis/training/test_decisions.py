from __future__ import annotations

import numpy as np
import pytest
import torch

from services.diagnosis.inference.calibration import Calibrator
from services.diagnosis.model.config import tasks_of
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.training.calibrate import calibration_rows, natural_rows, replayed_rows
from services.diagnosis.training.decisions import Decisions, calibrated, fit_decisions

N, CLASSES = 1500, 8
TASKS = tasks_of(CLASSES, deterioration=True, severity=False)
WHOLE = PATTERNS[-1]
Logits = dict[str, torch.Tensor]


def draw(seed: int) -> tuple[Logits, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Truth from softmax(z); three members tell 2 z with noise of their own. Logits, targets, posteriors."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(N, CLASSES + 1)) * 1.5
    truth = np.exp(z[:, :CLASSES]) / np.exp(z[:, :CLASSES]).sum(1, keepdims=True)
    labels = (truth.cumsum(1) > rng.random((N, 1))).argmax(1)
    worse = (rng.random(N) < 1 / (1 + np.exp(-z[:, CLASSES]))).astype(np.float64)
    told = torch.from_numpy(2 * z[None] + 0.3 * rng.normal(size=(3, N, CLASSES + 1))).float()
    targets = {"diagnosis": labels.astype(np.float64), "deterioration24h": worse}
    return dict.fromkeys(PATTERNS, told), targets, dict.fromkeys(PATTERNS, truth)


@pytest.fixture(scope="module")
def decisions() -> Decisions:
    logits, targets, posteriors = draw(0)
    return fit_decisions(logits, TASKS, targets, posteriors, coverage=0.9, largest_set=4)


def test_patients_count_for_the_patterns_they_can_show() -> None:
    available = np.array([[True] * len(MODALITIES), mask_of("image+note"), mask_of("vitals")])
    replayed, natural = replayed_rows(available), natural_rows(available)
    assert replayed["image"].tolist() == [0, 1]
    assert replayed["vitals"].tolist() == [0, 2]
    assert natural["image"].tolist() == []
    assert natural["image+note"].tolist() == [1]


def test_naturally_incomplete_patients_replace_replayed_ones_once_there_are_two_hundred() -> None:
    whole, part = np.ones((300, len(MODALITIES)), np.bool_), np.tile(mask_of("note"), (200, 1))
    assert calibration_rows(np.concatenate([whole, part]))["note"].tolist() == list(range(300, 500))
    assert len(calibration_rows(np.concatenate([whole, part[1:]]))["note"]) == 499


def test_the_difference_between_natural_and_replayed_patients_is_reported() -> None:
    logits, targets, posteriors = draw(1)
    available = np.ones((N, len(MODALITIES)), np.bool_)
    available[: N // 2] = mask_of("note")
    odd = targets["diagnosis"].copy()
    odd[: N // 2] = np.random.default_rng(0).integers(0, CLASSES, N // 2)  # who lacks the rest cannot be read at all
    told = {**targets, "diagnosis": odd}
    found = fit_decisions(logits, TASKS, told, posteriors, coverage=0.9, largest_set=4, available=available)
    check = found.calibrator.checks["note"]
    assert (check["nNatural"], check["nReplayed"]) == (N // 2, N - N // 2)
    # Natural patients are calibrated (uniform: ln 8 = 2.08); the same map is wrong for the others.
    assert check["nllNatural"] == pytest.approx(np.log(CLASSES), abs=0.05)
    assert check["eceReplayed"] > check["eceNatural"] + 0.05
    assert WHOLE not in found.calibrator.checks


def test_new_cases_are_covered_in_every_class(decisions: Decisions) -> None:
    logits, targets, _ = draw(2)
    labels = targets["diagnosis"].astype(np.int64)
    members = calibrated(decisions.calibrator, logits)[WHOLE]
    inside = decisions.conformal.contains(members[..., :CLASSES].mean(0), WHOLE)[np.arange(N), labels]
    # Some 190 cases calibrate and test each class: three standard deviations are 0.09.
    assert all(abs(inside[labels == k].mean() - 0.9) < 0.1 for k in range(CLASSES))
    assert inside.mean() == pytest.approx(0.9, abs=0.035)


def test_few_cases_are_called_uncalibrated(decisions: Decisions) -> None:
    logits, targets, posteriors = draw(3)
    few = 150
    found = fit_decisions(
        {p: value[:, :few] for p, value in logits.items()},
        TASKS,
        {name: target[:few] for name, target in targets.items()},
        {p: value[:few] for p, value in posteriors.items()},
        coverage=0.9,
        largest_set=4,
    )
    assert decisions.calibrator.is_calibrated(WHOLE)
    assert not found.calibrator.is_calibrated(WHOLE)
    assert sum(found.calibrator.class_counts[WHOLE]) == few


def test_all_parts_survive_json(decisions: Decisions) -> None:
    logits, _, _ = draw(4)
    again = Calibrator.from_json(decisions.calibrator.to_json())
    np.testing.assert_array_equal(calibrated(again, logits)[WHOLE], calibrated(decisions.calibrator, logits)[WHOLE])
    assert again.class_counts == decisions.calibrator.class_counts


def test_labels_of_incomplete_cases_alone_are_enough() -> None:
    logits, targets, _ = draw(5)
    available = np.ones((N, len(MODALITIES)), np.bool_)
    available[:, MODALITIES.index("vitals")] = False
    available[:8, MODALITIES.index("vitals")] = True
    found = fit_decisions(
        {p: value[..., :CLASSES] for p, value in logits.items()}, TASKS[:1], targets, None,
        coverage=0.9, largest_set=4, available=available, critical=(),
    )  # fmt: skip
    assert [task.name for task in found.calibrator.tasks] == ["diagnosis"]
    assert found.calibrator.counts["vitals"] == 8
    assert not found.calibrator.is_calibrated("vitals")
    # Eight cases tell neither what vitals add nor how wrong they are.
    assert set(found.drops.regressions["image"]) == {"note", "tabular"}
    assert found.intervals.multipliers["vitals"] >= found.intervals.multipliers["image"]
    assert all(np.isfinite(limit) for limit in found.thresholds.epistemic.values())
    assert found.verdicts.safely_ruled_out(np.zeros(CLASSES), "image") == ()


def test_a_pattern_that_nobody_shows_has_limits_all_the_same() -> None:
    logits, targets, _ = draw(6)
    available = np.tile(mask_of("image"), (N, 1))
    three = {p: value[..., :CLASSES] for p, value in logits.items()}
    found = fit_decisions(
        three, TASKS[:1], targets, None, coverage=0.9, largest_set=4, available=available, critical=()
    )
    assert found.thresholds.epistemic[WHOLE] == pytest.approx(found.thresholds.epistemic["image"])
    assert found.conformal.predict(np.full(CLASSES, 1 / CLASSES), WHOLE)[1] != "pattern x class"
