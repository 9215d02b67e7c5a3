"""Figures of a bundle trained on real cases, of which each holds what it holds, and several may be one patient's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.bundle.card import AS_AVAILABLE
from services.diagnosis.evaluation.metrics.paired import compare
from services.diagnosis.evaluation.subject import Table
from services.diagnosis.inference.conformal import ConformalTable
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, pattern_name
from services.diagnosis.training.calibrate import replayed_rows
from services.diagnosis.training.card import figures_of
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.fairness import subgroup_figures

Array = NDArray[np.float64]
FEWEST = 20
"""Cases under a pattern; of fewer no figure is given."""


def table_of(members: Mapping[str, Array], cohort: Cohort, conformal: ConformalTable) -> Table:
    """The answers side by side, each case under the patterns it can show and under all that it holds.

    Args: members: pattern -> calibrated probabilities [members, n, classes], whatever the cases hold.
    """
    available, n = cohort.available(), len(cohort)
    rows = replayed_rows(available)
    own = np.array([PATTERNS.index(pattern_name(_names(held))) for held in available])
    answers, sets = {}, {}
    for pattern in PATTERNS:
        answers[pattern] = np.full((*members[pattern].shape[:2], members[pattern].shape[2] + 1), np.nan)
        answers[pattern][:, rows[pattern], :-1] = members[pattern][:, rows[pattern]]
        answers[pattern][:, rows[pattern], -1] = 0  # nobody is asked about deterioration
        sets[pattern] = conformal.contains(members[pattern].mean(0), pattern)
    cases = np.arange(n)
    answers[AS_AVAILABLE] = np.stack([answers[PATTERNS[k]][:, i] for i, k in enumerate(own)], axis=1)
    sets[AS_AVAILABLE] = np.stack([sets[PATTERNS[k]][i] for i, k in zip(cases, own, strict=True)])
    return Table(
        labels=cohort.labels,
        patients=cohort.patients,
        members={p: value for p, value in answers.items() if not np.isnan(value).all()},
        sets=sets,
        available=available,
        ood={},
        coverage=conformal.coverage,
        subgroups=cohort.groups(),
        cases=np.array([record.name for record in cohort.records]),
    )


def figures(table: Table, *, seed: int) -> dict[str, Any]:
    """Pattern -> figures over the cases that hold it, and of each case by all that it holds."""
    found = {}
    for pattern, members in table.members.items():
        rows = np.flatnonzero(~np.isnan(members).any((0, 2)))
        if len(rows) >= FEWEST and len(np.unique(table.labels[rows])) > 1:
            found[pattern] = {
                "n": len(rows),
                **figures_of(
                    members[:, rows, :-1].mean(0),
                    table.labels[rows],
                    table.sets[pattern][rows],
                    table.coverage,
                    seed=seed,
                    patients=table.patients[rows],
                ),
            }
    return found


def fused_gains(table: Table, *, seed: int) -> dict[str, Any]:
    """Modality -> macro AUROC of all that a case holds minus that of the modality alone, paired, by patient.

    Over the cases that hold the modality and something else; none where these are fewer than `FEWEST`.
    """
    found = {}
    for place, name in enumerate(MODALITIES):
        several = table.available[:, place] & (table.available.sum(1) > 1)
        if several.sum() >= FEWEST and len(np.unique(table.labels[several])) > 1:
            compared = compare((table, AS_AVAILABLE), (table, name), seed=seed)
            found[name] = {**compared["macro_auroc"], "n": compared["n"]}
    return found


def measure(members: Mapping[str, Array], test: Cohort, conformal: ConformalTable, *, seed: int) -> dict[str, Any]:
    """The card's figures on the test split, but for what is strange."""
    table = table_of(members, test, conformal)
    everything, sets = table.members[AS_AVAILABLE], table.sets[AS_AVAILABLE]
    return {
        "n": len(test),
        "patients": len(np.unique(test.patients)),
        "patterns": figures(table, seed=seed),
        "gains": fused_gains(table, seed=seed),
        "subgroups": subgroup_figures(AS_AVAILABLE, everything, test, conformal, seed=seed, sets=sets),
    }


def _names(held: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(name for name, there in zip(MODALITIES, held, strict=True) if there)
