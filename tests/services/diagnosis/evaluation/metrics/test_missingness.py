from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from services.diagnosis.evaluation.metrics.discrimination import accuracy
from services.diagnosis.evaluation.metrics.missingness import RATES, compare_missing, losers, missing, missing_curves
from services.diagnosis.model.modalities import MODALITIES
from tests.services.diagnosis.evaluation.metrics.tables import calibrated, deaf_to, evidence, posteriors, table_of

FULL = "+".join(MODALITIES)


def test_the_ends_of_a_curve_are_the_full_pattern_and_the_one_without() -> None:
    table = calibrated(500)
    curve = missing(table, resamples=20)["note"]["macro_auroc"]
    for rate, pattern in (("0", FULL), ("1", "image+vitals+tabular")):
        answers = table.members[pattern].mean(0)[:, :-1]
        assert curve[rate] == pytest.approx(roc_auc_score(table.labels, answers, multi_class="ovr"))


def test_accuracy_falls_in_proportion_to_the_loss() -> None:
    # Each patient counts by itself, so the expected accuracy of a mixture lies on the line between the ends.
    labels, log_likelihood = evidence(2000)
    names = np.arange(2000).astype(str)
    found = missing_curves(
        posteriors(log_likelihood), labels, names, MODALITIES, metric=accuracy, draws=20, resamples=5
    )
    curve = found["note"]["macro_auroc"]
    for rate in RATES:
        expected = curve["0"] + rate * (curve["1"] - curve["0"])
        assert curve[f"{rate:g}"] == pytest.approx(expected, abs=0.01)
    assert found["note"]["area"] == pytest.approx((curve["0"] + curve["1"]) / 2, abs=0.01)


def test_losing_what_was_never_heard_costs_nothing() -> None:
    labels, log_likelihood = evidence(300)
    exact = posteriors(log_likelihood)
    deaf = deaf_to("note", exact)
    found = missing(table_of(deaf, labels), resamples=20)
    assert set(found["note"]["drop"].values()) == {0.0}
    assert found["note"]["relative_robustness"] == pytest.approx(1.0)
    assert found["image"]["intervals"]["drop"]["low"]["1"] > 0


def test_patients_are_lost_whole_and_stay_lost_at_higher_rates() -> None:
    patient = np.repeat(np.arange(100), 2)
    lost = losers(patient, np.random.default_rng(0))
    assert [int(row.sum()) for row in lost] == [round(rate * 100) * 2 for rate in RATES]
    assert (lost[:, ::2] == lost[:, 1::2]).all()
    assert (np.diff(lost.astype(int), axis=0) >= 0).all()


def test_a_subject_beside_itself_loses_as_much() -> None:
    labels, log_likelihood = evidence(300)
    answers, names = posteriors(log_likelihood), np.arange(300).astype(str)
    found = compare_missing(answers, answers, labels, names, MODALITIES, resamples=20)["note"]
    assert (found["drop_ratio"], found["effective_robustness"]) == (pytest.approx(1.0), 0.0)


def test_a_baseline_that_reads_absence_as_zeros_loses_more() -> None:
    # It takes an absent note for one that speaks loudly for the first class.
    labels, log_likelihood = evidence(1500)
    answers, names = posteriors(log_likelihood), np.arange(1500).astype(str)
    misled = {**log_likelihood, "note": np.tile([3.0, 0.0, 0.0], (1500, 1))}
    baseline = dict(answers) | {"image+vitals+tabular": posteriors(misled)[FULL]}
    found = compare_missing(answers, baseline, labels, names, MODALITIES, resamples=50)["note"]
    assert found["drop"] < found["baseline_drop"]
    assert found["drop"] == missing_curves(answers, labels, names, MODALITIES, resamples=5)["note"]["drop"]["0.5"]
    assert found["intervals"]["drop_ratio"]["high"] < 1
    assert found["intervals"]["effective_robustness"]["low"] > 0


def test_curves_are_json() -> None:
    json.dumps(missing(calibrated(60), resamples=5), allow_nan=False)


def test_one_modality_alone_has_no_curve() -> None:
    with pytest.raises(ValueError, match="two modalities"):
        missing_curves({"image": np.full((3, 2), 0.5)}, np.array([0, 1, 0]), np.array(["a", "b", "c"]), ("image",))
