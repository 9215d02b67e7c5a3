"""Does it serve everyone alike: the figures per group of patients, and the gaps between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.bootstrap import (
    PLUG_IN,
    RESAMPLES,
    Array,
    Bootstrapped,
    Resamples,
    bootstrap,
    estimate_of,
    number,
)
from services.diagnosis.evaluation.metrics.calibration import root, squared_calibration_error, top_label_bins
from services.diagnosis.evaluation.metrics.coverage import beyond, exact_interval, family_level, held
from services.diagnosis.evaluation.metrics.discrimination import accuracy, macro, per_class, weighted_mean
from services.diagnosis.evaluation.metrics.view import View, view_of
from services.diagnosis.evaluation.subject import Table

SMALLEST_GROUP = 30
SMALLEST_INTERSECTION = 100
SPECIFICITY = 0.9
"""The operating point: per class, the threshold with this specificity over all cases, the same for every group."""
CROSS = " × "


@dataclass(frozen=True)
class Group:
    """One value of an attribute: its cases and what was measured on them."""

    cases: NDArray[np.int64]
    figures: Bootstrapped


@dataclass(frozen=True)
class Frame:
    """What every group is held against."""

    view: View
    reached: Array
    """[n]: does the probability of the true class reach its threshold."""
    overall: Bootstrapped
    draws: Resamples
    target: float


def evaluate_subgroups(
    table: Table, pattern: str, *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, dict[str, Any]]:
    """Attribute -> value -> figures, and the attribute's worst gaps; pairs of attributes as `age × sex`.

    A group with fewer than 30 cases (an intersection: 100) or with one class only is None everywhere, with a `reason`;
    small intersections are left out. docs/reference/metrics.md names the fields.

    Raises: ValueError: no case of the table was asked under the pattern.
    """
    view = view_of(table, pattern)
    if view is None:
        raise ValueError(f"no case of the table was asked under the pattern {pattern!r}")
    draws = Resamples.draw(table.patients, seed=seed, resamples=resamples)
    reached = _reached(view)
    overall = bootstrap(lambda weights: _figures(view, reached, weights), draws, view.rows)
    frame = Frame(view, reached, overall, draws, table.coverage)
    own = {name: values[view.rows] for name, values in table.subgroups.items()}
    return {name: _attribute(values, frame, smallest) for name, values, smallest in _attributes(own)}


def _attributes(own: Mapping[str, NDArray[np.str_]]) -> Iterator[tuple[str, NDArray[np.str_], int]]:
    for name, values in own.items():
        yield name, values, 0
    for first, second in combinations(own, 2):
        crossed = np.char.add(np.char.add(own[first].astype(str), CROSS), own[second].astype(str))
        kept, counts = np.unique(crossed, return_counts=True)
        if (counts >= SMALLEST_INTERSECTION).any():
            large = np.isin(crossed, kept[counts >= SMALLEST_INTERSECTION])
            yield f"{first}{CROSS}{second}", np.where(large, crossed, ""), SMALLEST_INTERSECTION


def _attribute(values: NDArray[np.str_], frame: Frame, smallest: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    groups: dict[str, Group] = {}
    for value in (str(value) for value in np.unique(values) if value or not smallest):
        cases = np.flatnonzero(values == value)
        reason = _refuse(frame.view.labels[cases])
        if reason:
            found[value] = {"n": len(cases), **dict.fromkeys(_FIELDS), "reason": reason}
            continue
        chosen, reached = frame.view.restricted(cases), frame.reached[cases]
        figures = bootstrap(_statistic(chosen, reached), frame.draws, chosen.rows)
        groups[value] = Group(cases, figures)
        found[value] = _entry(chosen, figures, frame)
    return {**found, **_gaps(groups, frame)}


_FIELDS = ("macro_auroc", "accuracy", "ece", "tpr", "coverage", "auroc_gap", "tpr_gap", "coverage_gap")


def _refuse(labels: NDArray[np.int64]) -> str | None:
    if len(labels) < SMALLEST_GROUP:
        return f"fewer than {SMALLEST_GROUP} cases"
    return "a single class" if len(np.unique(labels)) < 2 else None


def _reached(view: View) -> Array:
    """[n]: true where the true class's probability is above its threshold, set at the specificity over all cases."""
    reached = np.zeros(len(view.labels))
    for k in np.unique(view.labels):
        own = view.labels == k
        others = view.probabilities[~own, k]
        threshold = np.quantile(others, SPECIFICITY, method="higher") if len(others) else 0.0
        reached[own] = view.probabilities[own, k] > threshold
    return reached


def _statistic(view: View, reached: Array) -> Any:
    return lambda weights: _figures(view, reached, weights)


def _figures(view: View, reached: Array, weights: Array) -> dict[str, Array]:
    aurocs, _ = per_class(view.probabilities, view.labels, weights)
    squared, plug_in = squared_calibration_error(top_label_bins(view.probabilities, view.labels, weights))
    own = [view.labels == k for k in range(view.classes)]
    rates = np.stack([weighted_mean(reached[cases], weights[:, cases]) for cases in own], axis=1)
    return {
        "class_auroc": aurocs,
        "macro_auroc": macro(aurocs),
        "accuracy": accuracy(view.probabilities, view.labels, weights),
        "ece_squared": squared,
        "ece_squared" + PLUG_IN: plug_in,
        "class_tpr": rates,
        "tpr": macro(rates),
    }


def _entry(view: View, figures: Bootstrapped, frame: Frame) -> dict[str, Any]:
    low, high = figures.interval("ece_squared")
    shortfalls = {
        "auroc_gap": shortfall(figures, frame.overall, "class_auroc"),
        "tpr_gap": shortfall(figures, frame.overall, "class_tpr"),
    }
    plain = {name: figures.interval(name) for name in ("accuracy", "tpr")}
    intervals = {name: _ends(*ends) for name, ends in plain.items()}
    intervals["ece"] = _ends(root(low), root(high))
    intervals |= {name: _ends(*gap.interval("gap")) for name, gap in shortfalls.items()}
    coverage = _coverage(view, LEVEL_ALONE)
    return {
        "n": len(view.rows),
        "macro_auroc": estimate_of(figures, "macro_auroc"),
        "accuracy": number(figures.values["accuracy"]),
        "ece": number(root(figures.values["ece_squared"])),
        "tpr": number(figures.values["tpr"]),
        "coverage": coverage,
        **{name: number(gap.values["gap"]) for name, gap in shortfalls.items()},
        "coverage_gap": None if coverage is None else abs(coverage["value"] - frame.target),
        "intervals": intervals,
    }


LEVEL_ALONE = family_level(1)


def _coverage(view: View, level: float) -> dict[str, float] | None:
    if view.sets is None:
        return None
    inside = held(view.sets, view.labels)
    low, high = exact_interval(int(inside.sum()), len(inside), level=level)
    return {"value": float(inside.mean()), "low": low, "high": high}


def shortfall(group: Bootstrapped, overall: Bootstrapped, name: str) -> Bootstrapped:
    """`gap`: mean over the classes that the group holds of (all cases - group); positive where the group is worse off.

    The same classes on both sides, so that a group is not called worse for having the harder diseases.
    """
    return Bootstrapped(
        {"gap": macro(overall.values[name] - group.values[name])},
        {"gap": macro(overall.samples[name] - group.samples[name])},
    )


def _gaps(groups: Mapping[str, Group], frame: Frame) -> dict[str, Any]:
    """The attribute's worst gaps with the groups they concern; intervals are those of just these groups.

    The worst of several is chosen after seeing them, hence large by chance alone when there are many small groups.
    """
    if len(groups) < 2:
        return {"max_auroc_gap": None, "max_tpr_gap": None, "max_coverage_gap": None, "reason": "fewer than two groups"}
    auroc, who = _worst_shortfall(groups, frame.overall)
    tpr, pair = _worst_pair(groups)
    return {
        "max_auroc_gap": number(auroc.values["gap"]),
        "max_auroc_gap_group": who,
        "max_tpr_gap": number(tpr.values["gap"]),
        "max_tpr_gap_groups": pair,
        **_coverage_gap(groups, frame),
        "intervals": {
            "max_auroc_gap": _ends(*auroc.interval("gap")),
            "max_tpr_gap": _ends(*tpr.interval("gap")),
        },
    }


def _worst_shortfall(groups: Mapping[str, Group], overall: Bootstrapped) -> tuple[Bootstrapped, str]:
    gaps = {name: shortfall(group.figures, overall, "class_auroc") for name, group in groups.items()}
    worst = max(gaps, key=lambda name: float(gaps[name].values["gap"]))
    return gaps[worst], worst


def _worst_pair(groups: Mapping[str, Group]) -> tuple[Bootstrapped, Sequence[str]]:
    """The two groups furthest apart in TPR over the classes both hold (equality of opportunity: Hardt et al. 2016)."""
    gaps = {
        (first, second): shortfall(groups[second].figures, groups[first].figures, "class_tpr")
        for first in groups
        for second in groups
        if first != second
    }
    worst = max(gaps, key=lambda pair: np.nan_to_num(float(gaps[pair].values["gap"]), nan=-1.0))
    return gaps[worst], list(worst)


def _coverage_gap(groups: Mapping[str, Group], frame: Frame) -> dict[str, Any]:
    """Largest |coverage - target| of a group, and how far its family-wise exact interval stays from the target."""
    level = family_level(len(groups))
    cells = {name: _coverage(frame.view.restricted(group.cases), level) for name, group in groups.items()}
    known = {name: cell for name, cell in cells.items() if cell is not None}
    if not known:
        return {"max_coverage_gap": None}
    gaps = {name: abs(cell["value"] - frame.target) for name, cell in known.items()}
    worst = max(gaps, key=lambda name: gaps[name])
    return {
        "max_coverage_gap": gaps[worst],
        "max_coverage_gap_group": worst,
        "max_coverage_gap_beyond_interval": max(
            beyond((cell["low"], cell["high"]), frame.target) for cell in known.values()
        ),
    }


def _ends(low: Any, high: Any) -> dict[str, float | None]:
    return {"low": number(low), "high": number(high)}
