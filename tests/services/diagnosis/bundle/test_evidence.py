"""What a bundle tells the registry of itself, from its card and from a report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.audit.model_schemas import EvaluationIn
from services.diagnosis.bundle.evidence import describe, evaluation_of_card, evaluation_of_report
from services.diagnosis.bundle.layout import CARD
from services.diagnosis.bundle.location import DEMO_BUNDLE

DIGEST = "sha256:" + "a" * 64


def _report() -> dict[str, Any]:
    """Made up, in the form of `consilium evaluate --json`."""
    sure = {"value": 0.9, "low": 0.85, "high": 0.95}
    return {
        "bundle": {"name": "m", "version": "1", "digest": DIGEST},
        "dataset": "hospital",
        "data_digest": "sha256:" + "d" * 64,
        "n": 300,
        "patterns": {
            "note": {"macro_auroc": {**sure, "value": 0.5}},
            "image+note": {"macro_auroc": sure, "ece": 0.04, "intervals": {"ece": {"low": 0.02, "high": 0.06}}},
        },
        "subgroups": {
            "sex": {"F": {"n": 150, "macro_auroc": sure}, "M": {"n": 20, "macro_auroc": None}, "max_auroc_gap": 0.1},
            "age × sex": {"80+ × F": {"n": 120, "macro_auroc": sure}},
        },
    }


def test_the_shipped_bundle_brings_key_card_and_an_evaluation_that_the_registry_takes() -> None:
    found = describe(DEMO_BUNDLE)
    card = json.loads((DEMO_BUNDLE / CARD).read_text())
    assert found.evaluation is not None
    taken = EvaluationIn.model_validate(found.evaluation)
    measured = card["metrics"]["patterns"]["image+note+vitals+tabular"]["macroAuroc"]
    assert taken.figures["macroAuroc"].model_dump() == measured
    assert (taken.n, taken.data_digest) == (2000, card["data"]["test"]["digest"])
    assert {group.attribute for group in taken.subgroups} == {"age", "sex", "site", "skin"}


@pytest.mark.parametrize("card", [{}, {"metrics": {}}, {"metrics": {"n": 1, "patterns": {"image": {"auroc": 0.9}}}}])
def test_a_card_without_intervals_or_cases_brings_no_evaluation(card: dict[str, Any]) -> None:
    assert evaluation_of_card(card, DIGEST) is None


def test_a_report_gives_its_fullest_pattern_and_single_groups() -> None:
    taken = EvaluationIn.model_validate(evaluation_of_report(_report()))
    assert taken.figures["macroAuroc"].value == 0.9
    assert taken.figures["ece"].model_dump() == {"value": 0.04, "low": 0.02, "high": 0.06}
    assert [(one.group, one.n, list(one.figures)) for one in taken.subgroups] == [
        ("F", 150, ["macroAuroc"]), ("M", 20, []),
    ]  # fmt: skip
    assert taken.bundle_digest == DIGEST


@pytest.mark.parametrize("missing", ["bundle", "data_digest", "patterns", "subgroups"])
def test_a_report_of_another_form_is_refused(missing: str) -> None:
    report = _report()
    del report[missing]
    with pytest.raises(ValueError, match=missing):
        evaluation_of_report(report)
