"""What the loss of a modality costs: the figure over patients of whom more and more lack it, completely at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.bootstrap import (
    Array,
    Bootstrapped,
    Labels,
    Mask,
    Resamples,
    Statistic,
    bootstrap,
    number,
)
from services.diagnosis.evaluation.metrics.discrimination import macro_auroc
from services.diagnosis.evaluation.metrics.view import fully_observed, probabilities_of
from services.diagnosis.evaluation.subject import Table
from services.diagnosis.model.modalities import pattern_name

RATES = (0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 1.0)
DRAWS = 5
RESAMPLES = 200
Metric = Callable[[Array, Labels, Array], Array]
"""Probabilities [n, classes], labels [n], weights [resamples, n] -> [resamples]; higher is better."""
AUROC = "macro_auroc"


def missing(table: Table, *, seed: int = 0, draws: int = DRAWS, resamples: int = RESAMPLES) -> dict[str, Any]:
    """The curves of a table over its fully observed cases; as `missing_curves`."""
    modalities, rows = fully_observed(table)
    answers = {pattern: values[rows] for pattern, values in probabilities_of(table).items()}
    return missing_curves(
        answers, table.labels[rows], table.patients[rows], modalities, seed=seed, draws=draws, resamples=resamples
    )


def missing_curves(
    answers: Mapping[str, Array],
    labels: Labels,
    patients: NDArray[np.str_],
    modalities: tuple[str, ...],
    *,
    seed: int = 0,
    draws: int = DRAWS,
    resamples: int = RESAMPLES,
    metric: Metric = macro_auroc,
) -> dict[str, Any]:
    """Per modality the figure at each loss rate, averaged over random choices of the patients who lose it.

    A patient who loses the modality is answered as the pattern without it answers. The patients who lose it at a lower
    rate are among those at a higher one.

    Args:
        answers: pattern -> probabilities [n, classes], all known; the full pattern and those that lack one modality.
    Returns: modality -> `{n, macro_auroc: {rate: value}, drop: {rate: value}, area, relative_robustness, intervals}`.
        `area` is the mean over rates (trapezia), which MultiBench (Liang et al. 2021, arXiv 2107.07502) calls relative
        robustness before it normalises over methods; here `relative_robustness` = area / figure without loss.
    Raises: ValueError: fewer than two modalities, or no case.
    """
    curves = _curves(answers, labels, patients, modalities, seed, draws, resamples, metric)
    return {name: {"n": len(labels), **_summary(curve)} for name, curve in curves.items()}


def compare_missing(
    subject: Mapping[str, Array],
    baseline: Mapping[str, Array],
    labels: Labels,
    patients: NDArray[np.str_],
    modalities: tuple[str, ...],
    *,
    rate: float = 0.5,
    seed: int = 0,
    draws: int = DRAWS,
    resamples: int = RESAMPLES,
    metric: Metric = macro_auroc,
) -> dict[str, Any]:
    """Per modality, the subject's loss beside a baseline's, for the same losing patients and resamples.

    Returns: modality -> `{drop, baseline_drop, drop_ratio, effective_robustness, intervals}`. The drops are at
    `rate`, their
        ratio is None unless the baseline loses something. `effective_robustness` is the mean over rates of subject -
        baseline once both start at the same height (MultiBench): what is left beyond being better to begin with.
    """
    own = _curves(subject, labels, patients, modalities, seed, draws, resamples, metric)
    other = _curves(baseline, labels, patients, modalities, seed, draws, resamples, metric)
    return {name: _comparison(own[name], other[name], RATES.index(rate)) for name in modalities}


def _curves(
    answers: Mapping[str, Array],
    labels: Labels,
    patients: NDArray[np.str_],
    modalities: tuple[str, ...],
    seed: int,
    draws: int,
    resamples: int,
    metric: Metric,
) -> dict[str, Bootstrapped]:
    if len(modalities) < 2 or not len(labels):
        raise ValueError("missing-modality curves need cases that hold two modalities or more")
    drawn = Resamples.draw(patients, seed=seed, resamples=resamples)
    full = answers[pattern_name(modalities)]
    curves = {}
    for place, name in enumerate(modalities):
        without = answers[pattern_name([other for other in modalities if other != name])]
        rng = np.random.default_rng((seed, place))
        lost = [losers(drawn.patient, rng) for _ in range(draws)]
        curves[name] = bootstrap(_statistic(full, without, labels, lost, metric), drawn, np.arange(len(labels)))
    return curves


def losers(patient: NDArray[np.int64], rng: np.random.Generator) -> Mask:
    """[rates, n]: which cases lack the modality at each rate; whole patients, in one random order."""
    count = int(patient.max()) + 1
    place = rng.permutation(count)[patient]
    return np.stack([place < round(rate * count) for rate in RATES])


def _statistic(full: Array, without: Array, labels: Labels, lost: list[Mask], metric: Metric) -> Statistic:
    """`curve` [resamples, rates]: at the ends of the range every draw is the same, so one is taken."""

    def at(place: int, weights: Array) -> Array:
        chosen = lost[:1] if RATES[place] in (0.0, 1.0) else lost
        mixed = [np.where(mask[place][:, None], without, full) for mask in chosen]
        return np.asarray(np.mean([metric(answers, labels, weights) for answers in mixed], axis=0))

    return lambda weights: {"curve": np.stack([at(place, weights) for place in range(len(RATES))], axis=1)}


def _derived(curve: Array) -> dict[str, Array]:
    """Figures of curves [..., rates]."""
    area, first = np.asarray(np.trapezoid(curve, RATES, axis=-1)), curve[..., 0]
    return {
        "curve": curve,
        "drop": curve[..., :1] - curve,
        "area": area,
        "relative_robustness": np.divide(area, first, out=np.full(area.shape, np.nan), where=first > 0),
    }


def _both(curve: Bootstrapped) -> Bootstrapped:
    return Bootstrapped(_derived(curve.values["curve"]), _derived(curve.samples["curve"]))


def _summary(curve: Bootstrapped) -> dict[str, Any]:
    figures = _both(curve)
    ends = {name: figures.interval(name) for name in figures.values}
    return {
        AUROC: _by_rate(figures.values["curve"]),
        "drop": _by_rate(figures.values["drop"]),
        "area": number(figures.values["area"]),
        "relative_robustness": number(figures.values["relative_robustness"]),
        "intervals": {
            AUROC: {"low": _by_rate(ends["curve"][0]), "high": _by_rate(ends["curve"][1])},
            "drop": {"low": _by_rate(ends["drop"][0]), "high": _by_rate(ends["drop"][1])},
            **{
                name: {"low": number(ends[name][0]), "high": number(ends[name][1])}
                for name in ("area", "relative_robustness")
            },
        },
    }


def _by_rate(values: Array) -> dict[str, float | None]:
    return {f"{rate:g}": number(value) for rate, value in zip(RATES, values, strict=True)}


def _comparison(own: Bootstrapped, other: Bootstrapped, place: int) -> dict[str, Any]:
    parts = [_compared(_derived(a), _derived(b), place) for a, b in (
        (own.values["curve"], other.values["curve"]), (own.samples["curve"], other.samples["curve"])
    )]  # fmt: skip
    figures = Bootstrapped(*parts)
    ends = {name: figures.interval(name) for name in figures.values}
    return {
        **{name: number(value) for name, value in figures.values.items()},
        "intervals": {name: {"low": number(low), "high": number(high)} for name, (low, high) in ends.items()},
    }


def _compared(own: dict[str, Array], other: dict[str, Array], place: int) -> dict[str, Array]:
    drop, baseline_drop = own["drop"][..., place], other["drop"][..., place]
    return {
        "drop": drop,
        "baseline_drop": baseline_drop,
        "drop_ratio": np.divide(drop, baseline_drop, out=np.full(drop.shape, np.nan), where=baseline_drop > 0),
        "effective_robustness": np.asarray(np.trapezoid(other["drop"] - own["drop"], RATES, axis=-1)),
    }
