"""Figures of the severity against their definitions, and against a subject that says what the oracle says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from services.diagnosis.evaluation.metrics.bootstrap import Resamples
from services.diagnosis.evaluation.metrics.severity import FIGURES, ranked_probability_scores, severity_figures
from services.diagnosis.evaluation.subject import SeverityAnswers

N, PATTERN = 2000, "image+note"
Array = NDArray[np.float64]


def drawn(seed: int = 0) -> tuple[Array, NDArray[np.int64]]:
    """Posteriors [n, levels], and levels drawn from them."""
    rng = np.random.default_rng(seed)
    posterior = rng.dirichlet((1.0, 1.0, 1.0), N)
    return posterior, (posterior.cumsum(1) < rng.random((N, 1))).sum(1).astype(np.int64)


def exceedance(posterior: Array) -> Array:
    return np.stack([posterior[:, 1] + posterior[:, 2], posterior[:, 2]], axis=1)


def draws(n: int = N) -> Resamples:
    return Resamples.draw(np.arange(n).astype(str), seed=1, resamples=60)


def test_the_ranked_probability_score_by_hand() -> None:
    told = np.array([[0.7, 0.2], [0.7, 0.2], [1.0, 1.0]])
    levels = np.array([0, 2, 2])
    np.testing.assert_allclose(ranked_probability_scores(told, levels), [(0.49 + 0.04) / 2, (0.09 + 0.64) / 2, 0.0])


def test_a_subject_that_says_what_the_oracle_says_has_its_figures_and_is_calibrated() -> None:
    posterior, levels = drawn()
    answers = SeverityAnswers(levels, {PATTERN: exceedance(posterior)}, {PATTERN: posterior})
    found = severity_figures(answers, PATTERN, draws())
    assert found is not None
    assert {name: found[name] for name in FIGURES} == {
        name: pytest.approx(value) for name, value in found["oracle"].items()
    }
    assert found["severe_auroc"]["value"] == pytest.approx(roc_auc_score(levels == 2, posterior[:, 2]))
    assert found["moderate_auroc"]["value"] == pytest.approx(roc_auc_score(levels > 0, 1 - posterior[:, 0]))
    assert found["severe_auroc"]["low"] < found["severe_auroc"]["value"] < found["severe_auroc"]["high"]
    assert found["moderate_ece"]["value"] < 0.03


def test_who_exaggerates_ranks_as_well_and_is_not_calibrated() -> None:
    posterior, levels = drawn()
    answers = SeverityAnswers(levels, {PATTERN: exceedance(posterior) ** 0.25}, {PATTERN: posterior})
    found = severity_figures(answers, PATTERN, draws())
    assert found is not None
    assert found["severe_auroc"]["value"] == pytest.approx(found["oracle"]["severe_auroc"]["value"])
    assert found["severe_ece"]["low"] > 0.2
    assert found["ranked_probability_score"]["value"] > found["oracle"]["ranked_probability_score"]["value"] + 0.05


def test_cases_without_an_answer_or_a_known_level_are_left_out() -> None:
    posterior, levels = drawn()
    told = exceedance(posterior)
    told[:100] = np.nan
    unknown = levels.copy()
    unknown[-50:] = -1
    found = severity_figures(SeverityAnswers(unknown, {PATTERN: told}), PATTERN, draws())
    assert found is not None
    assert (found["n"], found["oracle"]) == (N - 150, None)
    chosen = slice(100, -50)
    assert found["severe_auroc"]["value"] == pytest.approx(roc_auc_score(levels[chosen] == 2, told[chosen, 1]))


def test_nobody_is_judged_on_what_is_not_answered() -> None:
    posterior, levels = drawn()
    assert severity_figures(None, PATTERN, draws()) is None
    assert severity_figures(SeverityAnswers(levels, {PATTERN: exceedance(posterior)}), "vitals", draws()) is None
