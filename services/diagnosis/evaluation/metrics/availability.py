"""Is the answer read from what is missing: by the data itself, and by the subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.bootstrap import (
    LEVEL,
    RESAMPLES,
    Array,
    Bootstrapped,
    Labels,
    Mask,
    Resamples,
    Statistic,
    bootstrap,
    difference,
    estimate,
    estimate_of,
    number,
)
from services.diagnosis.evaluation.metrics.discrimination import macro, macro_auroc, per_class
from services.diagnosis.evaluation.metrics.patterns import class_names
from services.diagnosis.evaluation.metrics.view import fully_observed, probabilities_of, view_of
from services.diagnosis.evaluation.subject import Table
from services.diagnosis.model.modalities import mask_of, pattern_name, subsets

FOLDS = 5
FEWEST = 30
"""Cases of a pattern, on either side, from which its natural and replayed answers are compared."""


def evaluate_availability(
    table: Table, *, seed: int = 0, resamples: int = RESAMPLES, classes: Sequence[str] | None = None
) -> dict[str, Any]:
    """`{availability_only, shift, natural_against_replayed}`, as the functions below describe them.

    Args:
        classes: names of the classes in the output; by default the SNOMED CT codes of the diagnoses.
    """
    return {
        "availability_only": availability_only(
            table.available, table.labels, table.patients, seed=seed, resamples=resamples
        ),
        "shift": availability_shift(table, seed=seed, resamples=resamples, classes=classes),
        "natural_against_replayed": natural_against_replayed(table, seed=seed, resamples=resamples),
    }


def availability_only(
    available: Mask, labels: Labels, patients: NDArray[np.str_], *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """How well the label is told from which modalities a case holds, and nothing else: a leak of the data set.

    Logistic regression on the pattern (one indicator each), five-fold cross-validation by patient. The AUROC is the
    mean over folds of the macro AUROC within a fold: pooling the folds would push it below 1/2 where there is nothing
    to learn, since each fold's base rate opposes that of the rest (Airola et al. 2011, Comput. Stat. Data Anal. 55).

    Returns: `{n, patterns, macro_auroc: {value, low, high}}`, or None with a `reason` where every case holds the same.
    """
    _, pattern = np.unique(available, axis=0, return_inverse=True)
    indicators = np.eye(int(pattern.max()) + 1)[pattern.reshape(-1)]
    counts = {"n": len(labels), "patterns": indicators.shape[1]}
    if indicators.shape[1] < 2:
        return {**counts, "macro_auroc": None, "reason": "every case holds the same modalities"}
    fewest = min(len(np.unique(patients[labels == k])) for k in np.unique(labels))
    if len(np.unique(labels)) < 2 or fewest < FOLDS:
        return {**counts, "macro_auroc": None, "reason": f"a class has fewer than {FOLDS} patients"}
    answers, fold = _cross_validated(indicators, labels, patients, seed)

    def statistic(weights: Array) -> dict[str, Array]:
        each = [per_class(answers[fold == f], labels[fold == f], weights[:, fold == f])[0] for f in range(FOLDS)]
        return {"macro_auroc": macro(macro(np.stack(each, axis=-1)))}

    figures = bootstrap(statistic, Resamples.draw(patients, seed=seed, resamples=resamples), np.arange(len(labels)))
    return {**counts, "macro_auroc": estimate_of(figures, "macro_auroc")}


def _cross_validated(
    features: Array, labels: Labels, patients: NDArray[np.str_], seed: int
) -> tuple[Array, NDArray[np.int64]]:
    """Probabilities [n, classes] of models that have not seen the patient, and the fold of each case [n]."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold

    answers, fold = np.zeros((len(labels), int(labels.max()) + 1)), np.zeros(len(labels), np.int64)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for place, (train, test) in enumerate(splitter.split(features, labels, patients)):
        model = LogisticRegression(max_iter=1000).fit(features[train], labels[train])
        answers[np.ix_(test, model.classes_)] = model.predict_proba(features[test])
        fold[test] = place
    return answers, fold


def availability_shift(
    table: Table, *, seed: int = 0, resamples: int = RESAMPLES, classes: Sequence[str] | None = None
) -> dict[str, Any]:
    """Does absence change the subject's prior: fully observed cases replayed under every pattern.

    Per pattern and class, calibration in the large: mean probability - share of the class among the same cases. Only
    the pattern changes, never the patients, so a subject that takes absence itself for evidence departs from zero.
    The interval is paired (the same draws for both sides). `largest` is the cell with the largest |difference|, and
    `beyond_interval` how far the largest cell stays from zero outside a band that holds for all cells together
    (bootstrap of the maximal studentised deviation: Romano & Wolf 2005, Econometrica 73): what chance does not
    explain.

    Returns: `{n, base_rate, cells: {pattern: {class: {value, low, high}}}, largest: {pattern, class, value, low, high},
        largest_absolute, beyond_interval}`, or None with a `reason`.
    """
    modalities, rows = fully_observed(table)
    if not len(rows):
        return {"n": 0, "largest": None, "beyond_interval": None, "reason": "no fully observed case"}
    answers = probabilities_of(table)
    patterns = [pattern_name(subset) for subset in subsets(modalities)]
    stacked = np.stack([answers[pattern][rows] for pattern in patterns], axis=1)  # [n, patterns, classes]
    truth = np.eye(stacked.shape[2])[table.labels[rows]]
    excess = (stacked - truth[:, None, :]).reshape(len(rows), -1)
    draws = Resamples.draw(table.patients, seed=seed, resamples=resamples)
    figures = bootstrap(lambda weights: {"shift": _means(excess, weights)}, draws, rows)
    return {"n": len(rows), **_shift_report(figures, patterns, truth.mean(0), classes)}


def _means(values: Array, weights: Array) -> Array:
    """[n, cells] -> [resamples, cells]; NaN where nobody was drawn."""
    total = weights.sum(1, keepdims=True)
    empty = np.full((len(weights), values.shape[1]), np.nan)
    return np.asarray(np.divide(weights @ values, total, out=empty, where=total > 0))


def _shift_report(
    figures: Bootstrapped, patterns: list[str], base_rate: Array, classes: Sequence[str] | None
) -> dict[str, Any]:
    shape = (len(patterns), len(base_rate))
    value = figures.values["shift"].reshape(shape)
    low, high = (end.reshape(shape) for end in figures.interval("shift"))
    names = classes or class_names(len(base_rate))
    cells = {
        pattern: {name: estimate(value[i, k], low[i, k], high[i, k]) for k, name in enumerate(names)}
        for i, pattern in enumerate(patterns)
    }
    i, k = divmod(int(np.abs(value).argmax()), len(names))
    return {
        "base_rate": {name: number(base_rate[k]) for k, name in enumerate(names)},
        "cells": cells,
        "largest": {"pattern": patterns[i], "class": names[k], **cells[patterns[i]][names[k]]},
        "largest_absolute": number(np.abs(value).max()),
        "beyond_interval": number(_beyond_simultaneously(figures.values["shift"], figures.samples["shift"])),
    }


def _beyond_simultaneously(value: Array, samples: Array) -> float:
    """Largest distance from zero of a cell's end of the simultaneous band [cells], 0 where every band holds zero."""
    samples = samples[~np.isnan(samples).any(1)]
    error = samples.std(0)
    studentised = np.divide(samples - value, error, out=np.zeros_like(samples), where=error > 0)
    half = np.quantile(np.abs(studentised).max(1), LEVEL) * error
    return float(np.maximum(np.abs(value) - half, 0.0).max())


def natural_against_replayed(table: Table, *, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Per pattern: AUROC over the cases that naturally hold just that, minus over full cases replayed under it.

    The two differ where modalities are missing not at random, or where the subject was taught by replay what absence
    does not mean in life. Different patients stand on the two sides, so the interval is that of independent groups.

    Returns: pattern -> `{n_natural, n_replayed, natural, replayed, difference: {value, low, high}}`, or with None and a
        `reason`; the fullest pattern is its own replay and is left out.
    """
    modalities, full = fully_observed(table)
    draws = Resamples.draw(table.patients, seed=seed, resamples=resamples)
    found = {}
    for subset in subsets(modalities)[:-1]:
        pattern = pattern_name(subset)
        if pattern in table.members:
            found[pattern] = _compare_origins(table, pattern, full, draws)
    return found


def _compare_origins(table: Table, pattern: str, full: NDArray[np.int64], draws: Resamples) -> dict[str, Any]:
    view = view_of(table, pattern)
    just = (table.available == np.array(mask_of(pattern))).all(1)
    natural = np.flatnonzero(just) if view is None else view.rows[just[view.rows]]
    counts = {"n_natural": len(natural), "n_replayed": len(full)}
    sides = (natural, full)
    if min(len(side) for side in sides) < FEWEST:
        reason = f"fewer than {FEWEST} cases on one side"
        return {**counts, "natural": None, "replayed": None, "difference": None, "reason": reason}
    figures = [bootstrap(_auroc_of(table, pattern, side), draws, side) for side in sides]
    return {
        **counts,
        "natural": estimate_of(figures[0], "macro_auroc"),
        "replayed": estimate_of(figures[1], "macro_auroc"),
        "difference": estimate_of(difference(figures[0], figures[1], "macro_auroc"), "macro_auroc"),
    }


def _auroc_of(table: Table, pattern: str, rows: NDArray[np.int64]) -> Statistic:
    probabilities = table.members[pattern][:, rows, :-1].mean(0)
    return lambda weights: {"macro_auroc": macro_auroc(probabilities, table.labels[rows], weights)}
