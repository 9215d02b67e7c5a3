"""How well a subject tells how severe an illness is, beside what anyone could who saw the same findings."""

from __future__ import annotations

from typing import Any

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import (
    PLUG_IN,
    Array,
    Labels,
    Resamples,
    Statistic,
    bootstrap,
    estimate,
    estimate_of,
)
from services.diagnosis.evaluation.metrics.calibration import bin_equally, root, squared_calibration_error
from services.diagnosis.evaluation.metrics.discrimination import auroc_and_precision, weighted_mean
from services.diagnosis.evaluation.subject import SeverityAnswers
from services.diagnosis.training.task_losses import UNKNOWN

STEPS = ("moderate", "severe")
"""At least moderate, and severe: the two questions that three levels answer."""
FIGURES = (*(f"{step}_auroc" for step in STEPS), "ranked_probability_score", *(f"{step}_ece" for step in STEPS))


def severity_figures(answers: SeverityAnswers | None, pattern: str, draws: Resamples) -> dict[str, Any] | None:
    """`n`, every name of `FIGURES` and `oracle`, the same names of the oracle; each figure `{value, low, high}`.

    Returns: None where the subject does not answer it, or nobody knows it; `oracle` None where there is none.
    """
    if answers is None or pattern not in answers.exceedance:
        return None
    told = answers.exceedance[pattern]
    rows = np.flatnonzero((answers.levels != UNKNOWN) & ~np.isnan(told).any(1))
    if not len(rows):
        return None
    believed, best = answers.posterior.get(pattern), None
    if believed is not None:
        beyond = believed[rows, ::-1].cumsum(1)[:, -2::-1]  # P(level > j), [n, levels - 1]
        best = _report(beyond, answers.levels[rows], draws, rows)
    return {"n": len(rows), **_report(told[rows], answers.levels[rows], draws, rows), "oracle": best}


def _report(exceedance: Array, levels: Labels, draws: Resamples, rows: Labels) -> dict[str, Any]:
    figures = bootstrap(_statistic(exceedance, levels), draws, rows)
    found = {}
    for name in FIGURES:
        if name.endswith("_ece"):
            # The interval is made on the scale of the squared error, where the debiasing is.
            low, high = figures.interval(f"{name}_squared")
            found[name] = estimate(*(root(part) for part in (figures.values[f"{name}_squared"], low, high)))
        else:
            found[name] = estimate_of(figures, name)
    return found


def _statistic(exceedance: Array, levels: Labels) -> Statistic:
    reached = levels[:, None] > np.arange(exceedance.shape[1])  # [n, levels - 1]

    def statistic(weights: Array) -> dict[str, Array]:
        found = {"ranked_probability_score": weighted_mean(ranked_probability_scores(exceedance, levels), weights)}
        for j, step in enumerate(STEPS):
            found[f"{step}_auroc"], _ = auroc_and_precision(exceedance[:, j], reached[:, j], weights)
            bins = bin_equally(exceedance[:, j], reached[:, j].astype(np.float64), weights)
            name = f"{step}_ece_squared"
            found[name], found[name + PLUG_IN] = squared_calibration_error(bins)
        return found

    return statistic


def ranked_probability_scores(exceedance: Array, levels: Labels) -> Array:
    """Mean over the steps j of (P(level > j) - 1[level > j])^2 of each case, [n] in [0, 1] (Epstein 1969; Murphy 1971).

    Args:
        exceedance: [n, levels - 1]; levels: [n].
    """
    reached = levels[:, None] > np.arange(exceedance.shape[1])
    return np.asarray(((exceedance - reached) ** 2).mean(1))
