"""Figures per group of patients for the card: what `consilium evaluate` computes, on the recipe's own test split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.subgroups import CROSS, evaluate_subgroups
from services.diagnosis.evaluation.subject import Table
from services.diagnosis.inference.conformal import ConformalTable
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.metrics import RESAMPLES

Array = NDArray[np.float64]
NOTE = (
    "Brackets: 95 %, bootstrap over patients; for coverage, exact binomial. TPR: mean over the classes at the "
    "thresholds with 90 % specificity over everyone. The worst of several gaps is chosen after seeing them."
)


def subgroup_figures(
    pattern: str,
    members: Array,
    test: Cohort,
    conformal: ConformalTable,
    *,
    seed: int,
    sets: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """The card's section; empty where the records name no groups.

    Args: members: calibrated probabilities [members, n, classes + 1] of the test split under the pattern.
        sets: [n, classes], is the label in the prediction set; default: the sets of the pattern.
    """
    groups = test.groups()
    if not groups:
        return {}
    table = Table(
        labels=test.labels,
        patients=test.patients,
        members={pattern: members},
        sets={pattern: _sets(members, conformal, pattern) if sets is None else sets},
        available=np.ones((len(test), len(MODALITIES)), np.bool_),
        ood={},
        coverage=conformal.coverage,
        subgroups=groups,
        deterioration=test.deterioration,
    )
    found = evaluate_subgroups(table, pattern, seed=seed, resamples=RESAMPLES)
    alone = {name: _attribute(value, groups[name]) for name, value in found.items() if CROSS not in name}
    return {"pattern": pattern, "attributes": alone, "note": NOTE}


def _sets(members: Array, conformal: ConformalTable, pattern: str) -> NDArray[np.bool_]:
    """[n, classes]: is the label in the prediction set."""
    chosen = np.zeros((members.shape[1], members.shape[2] - 1), np.bool_)
    for row, probabilities in enumerate(members[..., :-1].mean(0)):
        chosen[row, list(conformal.predict(probabilities, pattern)[0])] = True
    return chosen


def _attribute(value: Mapping[str, Any], groups: NDArray[np.str_]) -> dict[str, Any]:
    names = [str(name) for name in np.unique(groups)]
    gaps = {"maxAurocGap": value.get("max_auroc_gap"), "maxTprGap": value.get("max_tpr_gap")}
    gaps |= {"maxCoverageGap": value.get("max_coverage_gap")}
    return {"groups": {name: _group(value[name]) for name in names}, **gaps}


def _group(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("reason"):
        return {"n": value["n"], "reason": value["reason"]}
    return {
        "n": value["n"],
        "macroAuroc": value["macro_auroc"],
        "tpr": value["tpr"],
        "ece": value["ece"],
        "coverage": value["coverage"],
        "aurocGap": value["auroc_gap"],
    }
