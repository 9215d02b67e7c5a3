from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from services.diagnosis.evaluation.metrics.paired import compare
from services.diagnosis.evaluation.metrics.patterns import evaluate_pattern
from services.diagnosis.model.modalities import MODALITIES
from tests.services.diagnosis.evaluation.metrics.tables import calibrated, evidence, posteriors, table_of

FULL = "image+note+vitals"


def test_the_same_subject_differs_by_nothing() -> None:
    table = calibrated(100)
    found = compare((table, FULL), (table, FULL), resamples=50)
    assert all(found[name] == {"value": 0.0, "low": 0.0, "high": 0.0} for name in ("macro_auroc", "brier"))


def test_fusing_informative_modalities_is_a_gain_whose_interval_excludes_zero() -> None:
    table = calibrated(600)
    found = compare((table, FULL), (table, "image"), resamples=200)
    one, other = (table.members[p].mean(0)[:, :-1] for p in (FULL, "image"))
    expected = roc_auc_score(table.labels, one, multi_class="ovr") - roc_auc_score(
        table.labels, other, multi_class="ovr"
    )
    assert found["macro_auroc"]["value"] == pytest.approx(expected)
    assert found["macro_auroc"]["low"] > 0
    assert found["nll"]["high"] < 0


def test_pairing_narrows_the_interval() -> None:
    labels, log_likelihood = evidence(400)
    first = table_of(posteriors(log_likelihood), labels)
    second = table_of(posteriors(log_likelihood, temperature=1.2), labels)
    apart = evaluate_pattern(first, FULL, resamples=200)["intervals"]["brier"]
    paired = compare((first, FULL), (second, FULL), resamples=200)["brier"]
    assert paired["high"] - paired["low"] < 0.5 * (apart["high"] - apart["low"])


def test_only_cases_that_both_were_asked_about_are_compared() -> None:
    labels, log_likelihood = evidence(90)
    held = np.ones((90, len(MODALITIES)), np.bool_)
    held[:30, 0], held[60:, 1] = False, False
    table = table_of(posteriors(log_likelihood), labels, available=held)
    found = compare((table, "image"), (table, "note"), resamples=10)
    image, note = (table.members[p].mean(0)[30:60, :-1] for p in ("image", "note"))
    expected = (image.argmax(1) == labels[30:60]).mean() - (note.argmax(1) == labels[30:60]).mean()
    assert (found["n"], found["accuracy"]["value"]) == (30, pytest.approx(expected))


def test_tables_of_different_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="same cases"):
        compare((calibrated(50), FULL), (calibrated(50, seed=1), FULL))
