from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import recall_score, roc_auc_score

from services.diagnosis.evaluation.metrics.subgroups import evaluate_subgroups
from tests.services.diagnosis.evaluation.metrics.tables import calibrated, evidence, posteriors, table_of

FULL = "image+note+vitals"
N = 1200


def unfair() -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray]]:
    """A subject that is blind for half of what it knows of patients at the site `hill`; sex makes no difference."""
    labels, log_likelihood = evidence(N)
    rng = np.random.default_rng(1)
    hill = np.arange(N) % 3 == 0
    blurred = {m: np.where(hill[:, None], 0.2 * rng.normal(size=e.shape), e) for m, e in log_likelihood.items()}
    groups = {"site": np.where(hill, "hill", "harbour"), "sex": rng.choice(["F", "M"], N)}
    return posteriors(blurred), labels, groups


def test_a_group_that_is_served_worse_is_found_with_its_interval() -> None:
    answers, labels, groups = unfair()
    found = evaluate_subgroups(table_of(answers, labels, subgroups=groups), FULL, resamples=200)
    site = found["site"]
    assert site["max_auroc_gap_group"] == "hill"
    assert site["intervals"]["max_auroc_gap"]["low"] > 0.1
    assert site["max_tpr_gap_groups"] == ["harbour", "hill"]
    assert site["intervals"]["max_tpr_gap"]["low"] > 0.1
    assert found["sex"]["intervals"]["max_tpr_gap"]["low"] < 0.05


def test_figures_of_a_group_are_those_of_its_cases() -> None:
    answers, labels, groups = unfair()
    found = evaluate_subgroups(table_of(answers, labels, subgroups=groups), FULL, resamples=20)["site"]["hill"]
    own = groups["site"] == "hill"
    reference = roc_auc_score(labels[own], answers[FULL][own], multi_class="ovr")
    assert found["n"] == own.sum()
    assert found["macro_auroc"]["value"] == pytest.approx(reference)
    assert found["accuracy"] == pytest.approx((answers[FULL][own].argmax(1) == labels[own]).mean())
    each = [
        roc_auc_score(labels == k, answers[FULL][:, k]) - roc_auc_score(labels[own] == k, answers[FULL][own, k])
        for k in range(3)
    ]
    assert found["auroc_gap"] == pytest.approx(np.mean(each))


def test_sensitivity_is_at_the_threshold_that_gives_nine_tenths_specificity_over_all_cases() -> None:
    answers, labels, groups = unfair()
    found = evaluate_subgroups(table_of(answers, labels, subgroups=groups), FULL, resamples=20)["site"]["harbour"]
    own, rates = groups["site"] == "harbour", []
    for k in range(3):
        scores, positive = answers[FULL][:, k], labels == k
        # The smallest threshold under which nine tenths of the others or more stay at or below it.
        threshold = min(t for t in scores[~positive] if (scores[~positive] <= t).mean() >= 0.9)
        rates.append(recall_score(positive[own], scores[own] > threshold))
    assert found["tpr"] == pytest.approx(np.mean(rates), abs=2e-3)


def test_small_groups_and_single_classes_are_null_with_a_reason() -> None:
    labels, log_likelihood = evidence(300)
    values = np.array(["rest"] * 300, dtype="<U8")
    values[:20] = "few"
    values[np.flatnonzero(labels == 0)[10:60]] = "one"
    values[:20] = "few"
    found = evaluate_subgroups(
        table_of(posteriors(log_likelihood), labels, subgroups={"a": values}), FULL, resamples=20
    )
    assert (found["a"]["few"]["macro_auroc"], found["a"]["few"]["reason"]) == (None, "fewer than 30 cases")
    assert (found["a"]["one"]["macro_auroc"], found["a"]["one"]["reason"]) == (None, "a single class")
    assert found["a"]["max_auroc_gap"] is None
    assert found["a"]["rest"]["macro_auroc"]["value"] > 0.5


def test_intersections_are_judged_from_a_hundred_cases_on() -> None:
    answers, labels, groups = unfair()
    groups["age"] = np.where(np.arange(N) < N - 90, "old", "young")
    found = evaluate_subgroups(table_of(answers, labels, subgroups=groups), FULL, resamples=20)
    assert set(found) == {"site", "sex", "age", "site × sex", "site × age", "sex × age"}
    assert {name for name in found["sex × age"] if name[0] in "FM"} == {"F × old", "M × old"}
    assert found["site × sex"]["hill × F"]["n"] >= 100


def test_coverage_gaps_are_distances_from_what_the_sets_promise() -> None:
    labels, log_likelihood = evidence(600)
    table = table_of(posteriors(log_likelihood), labels, subgroups={"half": np.where(np.arange(600) < 300, "a", "b")})
    sets = np.eye(3, dtype=np.bool_)[labels]
    sets[:150] = False
    table.sets[FULL][:] = sets  # half of group a is never covered, group b always
    found = evaluate_subgroups(table, FULL, resamples=20)["half"]
    assert found["a"]["coverage"]["value"] == 0.5
    assert (found["max_coverage_gap"], found["max_coverage_gap_group"]) == (pytest.approx(0.4), "a")
    assert 0.3 < found["max_coverage_gap_beyond_interval"] < 0.4


def test_a_fair_subject_has_no_gap_that_chance_does_not_explain() -> None:
    table = calibrated(1500)
    table.subgroups["sex"] = np.random.default_rng(5).choice(["F", "M"], 1500)  # type: ignore[index]
    found = evaluate_subgroups(table, FULL, resamples=200)
    assert found["sex"]["intervals"]["max_auroc_gap"]["low"] < 0.01
    json.dumps(found, allow_nan=False)
