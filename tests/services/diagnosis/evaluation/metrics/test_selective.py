from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from services.diagnosis.evaluation.metrics.bootstrap import once
from services.diagnosis.evaluation.metrics.selective import augrc, aurc, risk_at, risk_coverage, risks_at

RNG = np.random.default_rng(6)


def test_the_area_by_hand() -> None:
    # Most certain first: right, wrong, right, wrong. Risks 0, 1/2, 1/3, 1/2.
    curve = risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0.0, 1, 0, 1]), once(4))
    assert aurc(curve)[0] == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_the_generalised_area_by_hand() -> None:
    # Errors so far over n: 0, 1/4, 1/4, 2/4 at coverages 1/4 ... 1; trapezia from 0.
    curve = risk_coverage(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0.0, 1, 0, 1]), once(4))
    assert augrc(curve)[0] == pytest.approx((0 + 1 / 8 + 1 / 4 + 3 / 8) / 4)


@pytest.mark.parametrize("digits", [1, 9], ids=["tied", "distinct"])
def test_the_generalised_area_is_what_the_paper_says_it_equals(digits: int) -> None:
    # Traub et al. 2024, equation 7: (1 - AUROC_f) a (1 - a) + (1 - a)^2 / 2.
    confidence = RNG.random(300).round(digits)
    wrong = (RNG.random(300) > confidence).astype(np.float64)
    a, auroc = 1 - wrong.mean(), roc_auc_score(1 - wrong, confidence)
    expected = (1 - auroc) * a * (1 - a) + (1 - a) ** 2 / 2
    assert augrc(risk_coverage(confidence, wrong, once(300)))[0] == pytest.approx(expected)


def test_weights_stand_for_copies() -> None:
    confidence, wrong = RNG.random(40).round(1), RNG.integers(0, 2, 40).astype(np.float64)
    weights = RNG.integers(0, 3, (6, 40)).astype(np.float64)
    weighted = risk_coverage(confidence, wrong, weights)
    for row, counts in enumerate(weights.astype(int)):
        copies = np.repeat(np.arange(40), counts)
        written_out = risk_coverage(confidence[copies], wrong[copies], once(len(copies)))
        for area in (aurc, augrc):
            assert area(weighted)[row] == pytest.approx(area(written_out)[0])
        assert risk_at(weighted, 0.8)[row] == pytest.approx(risk_at(written_out, 0.8)[0])


def test_risk_at_eighty_percent_drops_the_least_certain_fifth() -> None:
    confidence, wrong = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([0.0, 0, 1, 0, 1])
    curve = risk_coverage(confidence, wrong, once(5))
    assert risk_at(curve, 0.8)[0] == pytest.approx(1 / 4)
    assert risk_at(curve, 1.0)[0] == pytest.approx(2 / 5)


def test_tied_cases_are_taken_as_if_at_random() -> None:
    # All equal: any 80 % err as often as all.
    curve = risk_coverage(np.full(10, 0.5), np.repeat((0.0, 1.0), 5), once(10))
    assert risk_at(curve, 0.8)[0] == pytest.approx(0.5)


def test_the_risk_of_a_predicted_class_is_one_minus_its_precision() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4], [0.55, 0.45], [0.1, 0.9]])
    labels = np.array([0, 0, 0, 0, 1, 1])
    kept, full = risks_at(probabilities, labels, probabilities.argmax(1) == 0, once(6), 0.8)
    assert (kept[0], full[0]) == pytest.approx((0.0, 1 / 5))


def test_a_class_that_is_never_predicted_has_no_risk() -> None:
    kept, full = risks_at(np.array([[0.9, 0.1]]), np.array([0]), np.array([False]), once(1), 0.8)
    assert np.isnan([kept[0], full[0]]).all()
