"""The oracle's figures: definitions by scikit-learn, and the order that more knowledge gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from services.diagnosis.ward import oracle
from services.diagnosis.ward.achievable import NOBODY, Achievable, auroc, best_achievable, table
from services.diagnosis.ward.population import Population
from services.diagnosis.ward.sampling import sample_many
from services.diagnosis.ward.tables import WARD


@pytest.fixture(scope="module")
def reached() -> dict[str, Achievable]:
    return best_achievable(n=20_000, seed=5)


def test_the_area_is_that_of_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(1)
    stated, came = rng.integers(0, 6, 500) / 5, rng.random(500) < 0.3
    assert auroc(stated, came) == pytest.approx(roc_auc_score(came, stated))


def test_the_figures_are_those_of_scikit_learn_on_other_patients(reached: dict[str, Achievable]) -> None:
    draws = sample_many(WARD, Population(), 20_000, np.random.default_rng(6))
    posterior, came = oracle.evidence(WARD, draws.values, draws.persons).posterior(("note",)), np.eye(8)[draws.labels]
    others = {
        "accuracy": (posterior.argmax(1) == draws.labels).mean(),
        "macro_auroc": roc_auc_score(came, posterior, average="macro"),
        "brier": ((posterior - came) ** 2).sum(1).mean(),
        "log_loss": log_loss(draws.labels, posterior, labels=range(8)),
    }
    for name, value in others.items():
        estimate = getattr(reached["note"], name)
        assert abs(estimate.value - value) < 4.5 * np.sqrt(2) * estimate.error, name


def test_who_sees_more_does_better(reached: dict[str, Achievable]) -> None:
    for pattern in oracle.PATTERNS:
        key = oracle.pattern_key(pattern)
        smaller = [oracle.pattern_key(s) for s in oracle.PATTERNS if set(s) < set(pattern)] or [NOBODY]
        assert all(reached[key].log_loss.value < reached[less].log_loss.value for less in smaller)
        assert all(reached[key].brier.value < reached[less].brier.value for less in smaller)


def test_the_table_has_a_row_for_each_pattern_with_errors(reached: dict[str, Achievable]) -> None:
    lines = table(reached).splitlines()
    assert len(lines) == 2 + 8
    assert f"{reached['note'].accuracy.value:.3f} ({reached['note'].accuracy.error:.4f})" in lines[4]
