from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score
from torchmetrics.functional.classification import multiclass_auroc, multiclass_average_precision

from services.diagnosis.evaluation.metrics.bootstrap import once
from services.diagnosis.evaluation.metrics.discrimination import (
    accuracy,
    auroc_and_precision,
    macro,
    macro_auroc,
    per_class,
)

RNG = np.random.default_rng(0)
N = 400
LABELS = RNG.choice(4, N, p=(0.4, 0.3, 0.25, 0.05))
PROBABILITIES = softmax(RNG.normal(size=(N, 4)) + np.eye(4)[LABELS], axis=1)
TIED = PROBABILITIES.round(1)
WEIGHTS = RNG.integers(0, 4, (5, N)).astype(np.float64)


@pytest.mark.parametrize("probabilities", [PROBABILITIES, TIED], ids=["distinct", "tied"])
def test_auroc_and_average_precision_are_those_of_scikit_learn_under_any_weights(probabilities: np.ndarray) -> None:
    aurocs, precisions = per_class(probabilities, LABELS, WEIGHTS)
    for row, weights in enumerate(WEIGHTS):
        for k in range(4):
            truth, scores = k == LABELS, probabilities[:, k]
            assert aurocs[row, k] == pytest.approx(roc_auc_score(truth, scores, sample_weight=weights))
            assert precisions[row, k] == pytest.approx(average_precision_score(truth, scores, sample_weight=weights))


def test_macro_figures_are_those_of_torchmetrics() -> None:
    inputs = torch.from_numpy(PROBABILITIES), torch.from_numpy(LABELS)
    aurocs, precisions = per_class(PROBABILITIES, LABELS, once(N))
    assert macro(aurocs)[0] == pytest.approx(float(multiclass_auroc(*inputs, num_classes=4)), abs=1e-6)
    assert macro(precisions)[0] == pytest.approx(float(multiclass_average_precision(*inputs, num_classes=4)), abs=1e-6)


def test_accuracy_is_that_of_scikit_learn_under_weights() -> None:
    expected = [accuracy_score(LABELS, PROBABILITIES.argmax(1), sample_weight=weights) for weights in WEIGHTS]
    assert accuracy(PROBABILITIES, LABELS, WEIGHTS) == pytest.approx(expected)


def test_the_macro_mean_leaves_out_classes_that_do_not_occur() -> None:
    labels = np.where(LABELS == 3, 0, LABELS)
    expected = np.mean([roc_auc_score(labels == k, PROBABILITIES[:, k]) for k in range(3)])
    assert macro_auroc(PROBABILITIES, labels, once(N))[0] == pytest.approx(expected)


def test_a_resample_without_positives_has_no_auroc() -> None:
    auroc, precision = auroc_and_precision(np.array([0.2, 0.7]), np.array([True, False]), np.array([[0.0, 3.0]]))
    assert np.isnan(auroc).all()
    assert np.isnan(precision).all()


def test_average_precision_by_hand() -> None:
    # Ranked +, -, +: precision 1 at the first positive, 2/3 at the second; (1 + 2/3) / 2.
    _, precision = auroc_and_precision(np.array([0.9, 0.5, 0.1]), np.array([True, False, True]), once(3))
    assert precision[0] == pytest.approx(5 / 6)
