"""What `metrics.json` says of a subject under an availability pattern."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from services.diagnosis.evaluation.metrics.bootstrap import (
    RESAMPLES,
    Bootstrapped,
    Resamples,
    bootstrap,
    estimate,
    estimate_of,
    number,
    once,
)
from services.diagnosis.evaluation.metrics.calibration import absolute_calibration_error, root, top_label_bins
from services.diagnosis.evaluation.metrics.coverage import cell_coverage, summarise_coverage
from services.diagnosis.evaluation.metrics.curves import reliability_curve, smooth_curve
from services.diagnosis.evaluation.metrics.figures import figures_of
from services.diagnosis.evaluation.metrics.oracle import ORACLE, distance_to_oracle
from services.diagnosis.evaluation.metrics.severity import severity_figures
from services.diagnosis.evaluation.metrics.venn_abers import venn_abers_figures
from services.diagnosis.evaluation.metrics.view import View, view_of
from services.diagnosis.evaluation.subject import AS_AVAILABLE, Table
from services.diagnosis.model.modalities import PATTERNS
from shared.codes import DIAGNOSES

SCALARS = (
    *("macro_auprc", "accuracy", "brier"),
    *("brier_reliability", "brier_resolution", "brier_uncertainty", "brier_within_bins"),
    *("nll", "ece", "calibration_slope", "aurc", "augrc", "risk_at_80", "risk_at_100", "deterioration_auroc"),
    *ORACLE,
)
CLASS_SCALARS = (
    *("auprc", "ece", "calibration_slope", "calibration_intercept"),
    *("risk_at_80", "risk_at_100", "true_risk_at_80", "true_risk_at_100"),
)
SET_SCALARS = ("mean_set_size", "singleton_rate", "empty_rate")


def evaluate_all(
    table: Table, *, seed: int = 0, resamples: int = RESAMPLES, classes: Sequence[str] | None = None
) -> dict[str, Any]:
    """`evaluate_pattern` for every pattern under which the table holds answers, the fullest first."""
    draws = Resamples.draw(table.patients, seed=seed, resamples=resamples)
    found = {p: view_of(table, p) for p in (*reversed(PATTERNS), AS_AVAILABLE)}
    return {p: _report(table, p, view, draws, classes) for p, view in found.items() if view is not None}


def evaluate_pattern(
    table: Table, pattern: str, *, seed: int = 0, resamples: int = RESAMPLES, classes: Sequence[str] | None = None
) -> dict[str, Any]:
    """One entry of `patterns`, as docs/reference/metrics.md describes it; what is undefined is None.

    Args:
        classes: names of the classes in the output; by default the SNOMED CT codes of the diagnoses.
    Raises: ValueError: no case of the table was asked under the pattern.
    """
    view = view_of(table, pattern)
    if view is None:
        raise ValueError(f"no case of the table was asked under the pattern {pattern!r}")
    return _report(table, pattern, view, Resamples.draw(table.patients, seed=seed, resamples=resamples), classes)


def _report(table: Table, pattern: str, view: View, draws: Resamples, classes: Sequence[str] | None) -> dict[str, Any]:
    figures = bootstrap(figures_of(view), draws, view.rows)
    names = class_names(view.classes) if classes is None else classes
    by_class = {name: _one_class(view, figures, k) for k, name in enumerate(names)}
    hit = (view.probabilities.argmax(1) == view.labels).astype(np.float64)
    top = view.probabilities.max(1)
    scalars = {name: _scalar(figures, name) for name in SCALARS}
    return {
        "n": len(view.rows),
        "n_patients": len(np.unique(draws.patient[view.rows])),
        "macro_auroc": estimate_of(figures, "macro_auroc"),
        **{name: entry["value"] for name, entry in scalars.items()},
        "calibration_intercept": by_class[names[-1]]["calibration_intercept"] if view.classes == 2 else None,
        "ece_l1": number(
            absolute_calibration_error(top_label_bins(view.probabilities, view.labels, once(len(top))))[0]
        ),
        "coverage": _coverage(view, figures, table.coverage),
        "risk_coverage_falls_for_every_class": _falls(by_class, ""),
        "risk_coverage_falls_for_every_true_class": _falls(by_class, "true_"),
        "intervals": {name: _ends(entry) for name, entry in scalars.items() if entry["value"] is not None},
        "classes": by_class,
        "distance_to_oracle": distance_to_oracle(figures),
        "severity": severity_figures(table.severity, pattern, draws),
        "venn_abers": venn_abers_figures(table.venn_abers, pattern, table.labels),
        "reliability_curve": reliability_curve(top, hit),
        "smooth_calibration": smooth_curve(top, hit),
    }


def class_names(classes: int) -> tuple[str, ...]:
    """SNOMED CT codes where there are as many classes as diagnoses, else their numbers."""
    if classes == len(DIAGNOSES):
        return tuple(diagnosis.code for diagnosis in DIAGNOSES)
    return tuple(str(k) for k in range(classes))


def _one_class(view: View, figures: Bootstrapped, k: int) -> dict[str, Any]:
    scalars = {name: _class_scalar(figures, name, k) for name in CLASS_SCALARS}
    own = view.labels == k
    cell = cell_coverage(view.sets, view.labels).get(k) if view.sets is not None else None
    return {
        "n": int(own.sum()),
        "n_predicted": int((view.probabilities.argmax(1) == k).sum()),
        "mean_probability": number(view.probabilities[:, k].mean()),
        "auroc": _class_scalar(figures, "auroc", k),
        **{name: entry["value"] for name, entry in scalars.items()},
        "coverage": cell,
        "intervals": {name: _ends(entry) for name, entry in scalars.items() if entry["value"] is not None},
    }


def _scalar(figures: Bootstrapped, name: str) -> dict[str, float | None]:
    if name == "ece":
        return _rooted(figures, "ece_squared", ())
    return estimate_of(figures, name) if name in figures.values else estimate(np.nan, np.nan, np.nan)


def _class_scalar(figures: Bootstrapped, name: str, k: int) -> dict[str, float | None]:
    if name == "ece":
        return _rooted(figures, "class_ece_squared", (k,))
    key = f"class_{name}"
    low, high = figures.interval(key)
    return estimate(figures.values[key][k], low[k], high[k])


def _rooted(figures: Bootstrapped, name: str, place: tuple[int, ...]) -> dict[str, float | None]:
    """Back from the squared error, on whose scale the debiasing and its interval are made."""
    low, high = figures.interval(name)
    return estimate(*(root(np.asarray(part[place])) for part in (figures.values[name], low, high)))


def _coverage(view: View, figures: Bootstrapped, target: float) -> dict[str, Any] | None:
    if view.sets is None:
        return None
    intervals = {name: _ends(estimate_of(figures, name)) for name in ("coverage", *SET_SCALARS)}
    return {
        **summarise_coverage(view.sets, view.labels, target),
        "intervals": {"value": intervals.pop("coverage"), **intervals},
    }


def _falls(by_class: dict[str, Any], which: str) -> bool:
    """Is the risk at 80 % coverage at most the full risk in every class that has one."""
    pairs = [(entry[f"{which}risk_at_80"], entry[f"{which}risk_at_100"]) for entry in by_class.values()]
    return all(kept <= full + 1e-12 for kept, full in pairs if kept is not None and full is not None)


def _ends(entry: dict[str, float | None]) -> dict[str, float | None]:
    return {"low": entry["low"], "high": entry["high"]}
