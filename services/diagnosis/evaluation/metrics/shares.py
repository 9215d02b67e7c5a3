"""Who is heard: the part of each modality in the answer, by exact Shapley values of the answers under all patterns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.bootstrap import (
    RESAMPLES,
    Array,
    Bootstrapped,
    Labels,
    Resamples,
    Statistic,
    bootstrap,
    number,
)
from services.diagnosis.evaluation.metrics.discrimination import accuracy, macro_auroc
from services.diagnosis.evaluation.metrics.patterns import class_names
from services.diagnosis.evaluation.metrics.view import fully_observed, probabilities_of
from services.diagnosis.evaluation.subject import Table
from services.diagnosis.inference.shapley import shapley_values
from services.diagnosis.inference.uncertainty import logit
from services.diagnosis.model.modalities import pattern_name, subsets

CHANCE = 0.5
"""AUROC of knowing nothing."""


def modality_shares(
    table: Table,
    *,
    prevalence: Array | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    classes: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Shares of the modalities in mean |Shapley value| over the fully observed cases; also by the oracle's posteriors.

    Per case, with top = the most probable class of the full pattern: v(S) = logit p_S(top), v(none) = logit of its
    prevalence, and the exact Shapley value of each modality. The share of a modality is its mean absolute value over
    the sum of all. docs/reference/metrics.md names the fields.

    Args:
        prevalence: [classes] of the subject without evidence; by default the class shares of these cases.
        classes: names of the classes in `by_class`; by default the SNOMED CT codes of the diagnoses.
    Raises: ValueError: no case was asked under every subset of the fullest pattern.
    """
    modalities, rows = fully_observed(table)
    if not len(rows):
        raise ValueError("shares need cases that were asked under every subset of the fullest pattern")
    labels, draws = table.labels[rows], Resamples.draw(table.patients, seed=seed, resamples=resamples)
    own = {pattern: values[rows] for pattern, values in probabilities_of(table).items()}
    base = class_shares(labels, next(iter(own.values())).shape[1]) if prevalence is None else prevalence
    found = _shares(own, base, modalities, draws, rows, classes)
    oracle = None
    if table.posterior is not None and pattern_name(modalities) in table.posterior:
        known = {pattern: values[rows] for pattern, values in table.posterior.items()}
        base = class_shares(labels, next(iter(known.values())).shape[1])
        oracle = _shares(known, base, modalities, draws, rows, None)
    return {
        "n": len(rows),
        **found,
        "oracle": oracle,
        "utilisation": _utilisation(own, labels, modalities, draws, rows),
    }


def class_shares(labels: Labels, classes: int) -> Array:
    """Share of each class, one case added to each so that none is 0."""
    counts = np.bincount(labels, minlength=classes) + 1.0
    return np.asarray(counts / counts.sum())


def shapley_of_cases(
    probabilities: Mapping[str, Array], base: Array, modalities: tuple[str, ...]
) -> tuple[Array, float, NDArray[np.int64]]:
    """Exact Shapley values [n, modalities] of the top class's log-odds, the efficiency error, and the top class [n].

    The efficiency error is max over cases of |sum of values + logit prevalence - logit p_full|; 0 but for rounding.
    """
    full = probabilities[pattern_name(modalities)]
    top = full.argmax(1)
    rows = np.arange(len(top))
    worth = {frozenset(subset): logit(probabilities[pattern_name(subset)][rows, top]) for subset in subsets(modalities)}
    worth[frozenset()] = logit(base)[top]
    values = np.zeros((len(top), len(modalities)))
    for row in rows:
        each = shapley_values({subset: float(value[row]) for subset, value in worth.items()}, modalities)
        values[row] = [each[name] for name in modalities]
    error = np.abs(values.sum(1) + worth[frozenset()] - worth[frozenset(modalities)]).max()
    return values, float(error), top


def _shares(
    probabilities: Mapping[str, Array],
    base: Array,
    modalities: tuple[str, ...],
    draws: Resamples,
    rows: NDArray[np.int64],
    classes: Sequence[str] | None,
) -> dict[str, Any]:
    values, error, top = shapley_of_cases(probabilities, base, modalities)
    size = np.abs(values)
    figures = bootstrap(lambda weights: {"share": share_of(size, weights)}, draws, rows)
    low, high = figures.interval("share")
    share = figures.values["share"]
    return {
        "share": {name: number(share[m]) for m, name in enumerate(modalities)},
        "intervals": {
            "share": {name: {"low": number(low[m]), "high": number(high[m])} for m, name in enumerate(modalities)}
        },
        "min_share": number(share.min()),
        "laziest": modalities[int(share.argmin())],
        "mean_absolute": {name: number(size[:, m].mean()) for m, name in enumerate(modalities)},
        "efficiency_error": error,
        "by_class": _by_class(size, top, classes or class_names(len(base)), modalities),
    }


def share_of(size: Array, weights: Array) -> Array:
    """[n, modalities] absolute values -> shares [resamples, modalities]; NaN where all are 0."""
    sums = weights @ size
    total = sums.sum(1, keepdims=True)
    return np.asarray(np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0))


def _by_class(
    size: Array, top: NDArray[np.int64], classes: Sequence[str], modalities: tuple[str, ...]
) -> dict[str, Any]:
    """Shares over the cases whose top class it is."""
    found: dict[str, Any] = {}
    for k, name in enumerate(classes):
        own = size[top == k]
        share = share_of(own, np.ones((1, len(own))))[0]
        found[name] = {"n": len(own), **{m: number(share[i]) for i, m in enumerate(modalities)}}
    return found


def _utilisation(
    own: Mapping[str, Array], labels: Labels, modalities: tuple[str, ...], draws: Resamples, rows: NDArray[np.int64]
) -> dict[str, Any] | None:
    """Per modality, what its removal costs; None where there is only one.

    `rate` = (AUROC(all) - AUROC(all but m)) / (AUROC(m) - 1/2): the part of what it knows alone that is missed
    without it. `conditional` = (accuracy(all) - accuracy(all but m)) / accuracy(all) (Wu et al. 2022, arXiv
    2202.05306, eq. 2).
    """
    if len(modalities) < 2:
        return None
    figures = bootstrap(_utilisation_statistic(own, labels, modalities), draws, rows)
    return {name: _utilised(figures, name) for name in modalities}


def _utilised(figures: Bootstrapped, name: str) -> dict[str, Any]:
    ends = {part: figures.interval(f"{name}/{part}") for part in ("rate", "conditional")}
    return {
        **{part: number(figures.values[f"{name}/{part}"]) for part in ends},
        "intervals": {part: {"low": number(low), "high": number(high)} for part, (low, high) in ends.items()},
    }


def _utilisation_statistic(own: Mapping[str, Array], labels: Labels, modalities: tuple[str, ...]) -> Statistic:
    everything = own[pattern_name(modalities)]

    def statistic(weights: Array) -> dict[str, Array]:
        full, right = macro_auroc(everything, labels, weights), accuracy(everything, labels, weights)
        found = {}
        for name in modalities:
            rest = own[pattern_name([other for other in modalities if other != name])]
            alone = macro_auroc(own[name], labels, weights) - CHANCE
            lost = full - macro_auroc(rest, labels, weights)
            found[f"{name}/rate"] = np.divide(lost, alone, out=np.full(lost.shape, np.nan), where=np.abs(alone) > 1e-3)
            less = right - accuracy(rest, labels, weights)
            found[f"{name}/conditional"] = np.divide(less, right, out=np.full(less.shape, np.nan), where=right > 0)
        return found

    return statistic
