from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score

from services.diagnosis.evaluation.metrics.patterns import class_names, evaluate_all, evaluate_pattern
from services.diagnosis.evaluation.metrics.view import view_of
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from shared.codes import DIAGNOSES
from tests.services.diagnosis.evaluation.metrics.tables import calibrated, deaf_to, evidence, posteriors, table_of

FULL = "+".join(MODALITIES)
B = 100


def test_every_pattern_is_evaluated_the_fullest_first() -> None:
    found = evaluate_all(calibrated(80), resamples=10)
    assert set(found) == set(PATTERNS)
    assert next(iter(found)) == FULL


def test_the_headline_figures_are_those_of_scikit_learn() -> None:
    table = calibrated(400)
    found, view = evaluate_pattern(table, "image+note", resamples=B), view_of(table, "image+note")
    assert view is not None
    p, y = view.probabilities, view.labels
    assert found["macro_auroc"]["value"] == pytest.approx(roc_auc_score(y, p, multi_class="ovr"))
    assert found["accuracy"] == pytest.approx(accuracy_score(y, p.argmax(1)))
    assert found["nll"] == pytest.approx(log_loss(y, p))
    assert found["brier"] == pytest.approx(sum(brier_score_loss(y == k, p[:, k]) for k in range(3)))
    parts = [found[f"brier_{part}"] for part in ("reliability", "resolution", "uncertainty", "within_bins")]
    assert found["brier"] == pytest.approx(parts[0] - parts[1] + parts[2] + parts[3])


def test_what_is_written_is_json_without_nan() -> None:
    json.dumps(evaluate_all(calibrated(60), resamples=10), allow_nan=False)


def test_every_interval_holds_a_scalar_of_the_same_object() -> None:
    found = evaluate_pattern(calibrated(200), FULL, resamples=B)
    for part in (found, found["coverage"], *found["classes"].values()):
        assert part["intervals"]
        for name, ends in part["intervals"].items():
            assert ends["low"] <= part[name] <= ends["high"], name


def test_the_oracle_has_no_distance_to_itself() -> None:
    distance = evaluate_pattern(calibrated(200), FULL, resamples=B)["distance_to_oracle"]
    assert all(abs(ends[key]) < 1e-12 for ends in distance.values() for key in ("value", "low", "high"))


def test_an_overconfident_subject_is_caught() -> None:
    labels, log_likelihood = evidence(3000)
    exact = posteriors(log_likelihood)
    honest = evaluate_pattern(table_of(exact, labels, posterior=exact), FULL, resamples=B)
    doubled = table_of(posteriors(log_likelihood, temperature=0.5), labels, posterior=exact)
    boasting = evaluate_pattern(doubled, FULL, resamples=B)
    assert boasting["calibration_slope"] == pytest.approx(honest["calibration_slope"] / 2, rel=1e-4)
    assert boasting["intervals"]["calibration_slope"]["high"] < 1 < honest["intervals"]["calibration_slope"]["high"]
    assert boasting["intervals"]["ece"]["low"] > honest["intervals"]["ece"]["high"]
    assert boasting["brier_reliability"] > 5 * abs(honest["brier_reliability"])
    assert boasting["distance_to_oracle"]["nll"]["low"] > 0
    assert boasting["macro_auroc"]["value"] == pytest.approx(honest["macro_auroc"]["value"], abs=0.02)


def test_a_subject_that_ignores_a_modality_is_behind_the_oracle_where_it_counts() -> None:
    labels, log_likelihood = evidence(1000)
    exact = posteriors(log_likelihood)
    deaf = deaf_to("note", exact)
    found = evaluate_all(table_of(deaf, labels, posterior=exact), resamples=B)
    assert found["image+note"]["distance_to_oracle"]["macro_auroc"]["low"] > 0.05
    assert found["image"]["distance_to_oracle"]["kl"]["value"] == pytest.approx(0.0, abs=1e-12)


def test_certainty_that_is_upside_down_raises_the_risk_of_a_class() -> None:
    # Class 0 is right at 0.6 and wrong at 0.9: leaving out the least certain leaves out what was right.
    probabilities = np.repeat([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]], [50, 50, 50], axis=0)
    labels = np.repeat((0, 1, 1), 50)
    found = evaluate_pattern(table_of({"image": probabilities}, labels), "image", resamples=B)
    assert found["risk_coverage_falls_for_every_class"] is False
    assert found["classes"]["0"]["risk_at_80"] == pytest.approx(50 / 80)
    assert found["classes"]["0"]["risk_at_100"] == pytest.approx(0.5)


def test_a_sensible_subject_errs_less_where_it_is_certain() -> None:
    found = evaluate_pattern(calibrated(2000), FULL, resamples=10)
    assert found["risk_coverage_falls_for_every_class"] is True
    assert found["risk_at_80"] < found["risk_at_100"] == pytest.approx(1 - found["accuracy"])


def test_cases_that_lack_a_modality_are_not_counted() -> None:
    labels, log_likelihood = evidence(100)
    held = np.ones((100, len(MODALITIES)), np.bool_)
    held[:40, 2] = False
    table = table_of(posteriors(log_likelihood), labels, available=held)
    assert evaluate_pattern(table, "vitals", resamples=10)["n"] == 60
    assert evaluate_pattern(table, "image", resamples=10)["n"] == 100


def test_a_pattern_without_cases_is_refused_by_name() -> None:
    table = calibrated(30)
    without = replace(table, members={"image": table.members["image"]})
    with pytest.raises(ValueError, match="image\\+note"):
        evaluate_pattern(without, "image+note")
    assert set(evaluate_all(without, resamples=10)) == {"image"}


def test_what_nobody_knows_is_null() -> None:
    table = replace(calibrated(60), sets={}, posterior=None, deterioration=None)
    found = evaluate_pattern(table, FULL, resamples=10)
    for name in ("coverage", "distance_to_oracle", "oracle_macro_auroc", "deterioration_auroc"):
        assert found[name] is None


def test_a_class_that_does_not_occur_is_null_and_still_listed() -> None:
    labels, log_likelihood = evidence(100)
    found = evaluate_pattern(table_of(posteriors(log_likelihood), np.minimum(labels, 1)), FULL, resamples=10)
    absent = found["classes"]["2"]
    assert (absent["n"], absent["auroc"]["value"], absent["coverage"]) == (0, None, None)
    assert found["macro_auroc"]["value"] is not None


def test_deterioration_is_judged_where_it_is_known() -> None:
    table = calibrated(300)
    happened = table.deterioration
    assert happened is not None
    known = np.arange(300) < 200
    found = evaluate_pattern(replace(table, deterioration=np.where(known, happened, np.nan)), FULL, resamples=B)
    worse = table.members[FULL].mean(0)[:, -1]
    assert found["deterioration_auroc"] == pytest.approx(roc_auc_score(happened[known], worse[known]))


def test_a_posterior_of_other_classes_is_no_oracle() -> None:
    table = calibrated(60)
    other = {p: np.full((60, 8), 1 / 8) for p in PATTERNS}
    assert evaluate_pattern(replace(table, posterior=other), FULL, resamples=10)["distance_to_oracle"] is None


def test_eight_classes_are_named_by_their_codes() -> None:
    assert class_names(8) == tuple(diagnosis.code for diagnosis in DIAGNOSES)
    assert class_names(2) == ("0", "1")
