"""Plots of an evaluation as inline SVG: text stays text, nothing is fetched, the same numbers give the same bytes."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

mpl.use("Agg")
mpl.rcParams.update(
    {"svg.fonttype": "none", "svg.hashsalt": "consilium", "font.family": "sans-serif", "font.size": 9,
     "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#8a94a0", "axes.grid": True,
     "grid.color": "#e6eaee", "axes.axisbelow": True, "axes.titlesize": 10, "legend.frameon": False}
)  # fmt: skip
INK, OURS, ORACLE, OTHER, WARN = "#1c2733", "#0b6e99", "#c28a00", "#7b8794", "#b3261e"
# Okabe & Ito's palette: told apart with every common colour vision.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#7a6a00", "#555555")
Metrics = Mapping[str, Any]
Array = NDArray[np.float64]


def svg(figure: Figure, label: str) -> str:
    """A figure as an `<svg>` element that says what it shows to those who cannot see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'(width|height)="[\d.]+pt" ', "", text, count=2)
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def pattern_dots(metrics: Metrics) -> str:
    """Macro AUROC of every pattern with its interval, the oracle's limit and the best baseline beside it."""
    patterns = list(metrics["patterns"])
    figure = Figure(figsize=(7.2, 0.42 * len(patterns) + 1.1))
    axes = figure.subplots()
    for row, pattern in enumerate(reversed(patterns)):
        own = metrics["patterns"][pattern]
        _whisker(axes, row, own["macro_auroc"], OURS, label="this model" if row == 0 else None)
        if own.get("oracle_macro_auroc") is not None:
            axes.plot(
                own["oracle_macro_auroc"], row, "|", color=ORACLE, ms=14, mew=2.5, label="oracle" if row == 0 else None
            )
        best = _best_baseline(metrics, pattern)
        if best is not None:
            axes.plot(best, row - 0.18, "o", color=OTHER, ms=4, label="best baseline" if row == 0 else None)
    axes.set_yticks(range(len(patterns)), [p.replace("+", " + ") for p in reversed(patterns)])
    axes.set_xlabel("macro AUROC (bars: 95 % interval over patients)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=3)
    return svg(figure, "Macro AUROC per set of modalities, with the oracle and the best baseline")


def _best_baseline(metrics: Metrics, pattern: str) -> float | None:
    values = [
        b["patterns"][pattern]["macro_auroc"]["value"]
        for b in metrics.get("baselines", {}).values()
        if pattern in b["patterns"] and b["patterns"][pattern]["macro_auroc"]["value"] is not None
    ]
    return max(values, default=None)


def _whisker(axes: Any, row: float, interval: Mapping[str, float], colour: str, label: str | None = None) -> None:
    if interval["value"] is None:
        return
    low, high = interval.get("low"), interval.get("high")
    if low is not None and high is not None:
        axes.plot([low, high], [row, row], color=colour, lw=2)
    axes.plot(interval["value"], row, "o", color=colour, ms=5.5, label=label)


def baseline_dots(metrics: Metrics, pattern: str) -> str:
    """This model and every baseline on one pattern."""
    named = {"this model": metrics["patterns"][pattern]} | {
        name: entry["patterns"][pattern] for name, entry in metrics["baselines"].items() if pattern in entry["patterns"]
    }
    figure = Figure(figsize=(7.2, 0.32 * len(named) + 0.9))
    axes = figure.subplots()
    for row, (_, entry) in enumerate(reversed(named.items())):
        _whisker(axes, row, entry["macro_auroc"], OURS if row == len(named) - 1 else OTHER)
    oracle = metrics["patterns"][pattern].get("oracle_macro_auroc")
    if oracle is not None:
        axes.axvline(oracle, color=ORACLE, lw=1.5, ls="--")
    axes.set_yticks(range(len(named)), list(reversed(named)))
    axes.set_xlabel(f"macro AUROC, {pattern.replace('+', ' + ')}" + (" (dashed: oracle)" if oracle is not None else ""))
    return svg(figure, "This model beside the baselines")


def reliability(bins: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Reliability diagrams, one small panel per pattern: mean predicted against observed, with exact intervals."""
    columns = min(4, len(bins))
    rows = -(-len(bins) // columns)
    figure = Figure(figsize=(2.1 * columns + 0.6, 2.1 * rows + 0.5))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, (pattern, points) in zip(panels.flat, bins.items(), strict=False):
        axes.plot([0, 1], [0, 1], color=OTHER, lw=1, ls=":")
        x = [p["predicted"] for p in points]
        axes.vlines(x, [p["low"] for p in points], [p["high"] for p in points], color=OURS, lw=1.2)
        axes.plot(x, [p["observed"] for p in points], "o-", color=OURS, ms=3, lw=1)
        axes.set_title(pattern.replace("+", " + "), fontsize=8)
        axes.set_xlim(0, 1), axes.set_ylim(0, 1)
    for axes in panels.flat[len(bins) :]:
        axes.set_visible(False)
    figure.supxlabel("predicted probability of the first diagnosis", fontsize=9)
    figure.supylabel("share that was right", fontsize=9)
    figure.tight_layout()
    return svg(figure, "Reliability diagrams per set of modalities")


def curves(probabilities: Array, labels: NDArray[np.int64], names: Sequence[str]) -> str:
    """ROC and precision-recall curves, one line per class."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    figure = Figure(figsize=(8.4, 3.9))
    left, right = figure.subplots(1, 2)
    for k, name in enumerate(names):
        truth = labels == k
        if truth.all() or not truth.any():
            continue
        fpr, tpr, _ = roc_curve(truth, probabilities[:, k])
        precision, recall, _ = precision_recall_curve(truth, probabilities[:, k])
        left.plot(fpr, tpr, color=COLOURS[k % len(COLOURS)], lw=1.4, label=name)
        right.plot(recall, precision, color=COLOURS[k % len(COLOURS)], lw=1.4)
    left.plot([0, 1], [0, 1], color=OTHER, lw=1, ls=":")
    left.set(xlabel="1 − specificity", ylabel="sensitivity", title="ROC")
    right.set(xlabel="recall", ylabel="precision", title="Precision–recall", ylim=(0, 1.02))
    figure.legend(loc="lower center", ncols=4, fontsize=8, bbox_to_anchor=(0.5, -0.12))
    figure.tight_layout()
    return svg(figure, "ROC and precision-recall curves per diagnosis")


def risk_coverage(probabilities: Array, labels: NDArray[np.int64], names: Sequence[str]) -> str:
    """Error among the most confident share, over all cases and per true class."""
    top, wrong = probabilities.max(1), probabilities.argmax(1) != labels
    figure = Figure(figsize=(7.2, 3.4))
    axes = figure.subplots()
    for k, name in enumerate(names):
        if (labels == k).sum() >= 10:
            axes.plot(*_risks(top[labels == k], wrong[labels == k]), color=COLOURS[k % len(COLOURS)], lw=1, label=name)
    axes.plot(*_risks(top, wrong), color=INK, lw=2.4, label="all")
    axes.set(
        xlabel="coverage: share answered, most certain first", ylabel="share wrong", xlim=(0.05, 1), ylim=(0, None)
    )
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    return svg(figure, "Risk-coverage curves")


def _risks(top: Array, wrong: NDArray[np.bool_]) -> tuple[Array, Array]:
    order = np.argsort(-top, kind="stable")
    n = np.arange(1, len(order) + 1)
    return n / len(order), np.cumsum(wrong[order]) / n


def missingness(curves_by_name: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Macro AUROC against the share of patients who lack a modality: {modality: {name: {rate: value}}}."""
    figure = Figure(figsize=(2.7 * len(curves_by_name) + 0.6, 2.9))
    panels = figure.subplots(1, len(curves_by_name), squeeze=False, sharey=True)[0]
    for axes, (modality, lines) in zip(panels, curves_by_name.items(), strict=True):
        for i, (name, points) in enumerate(lines.items()):
            rates = sorted(points, key=float)
            style = {"color": OURS, "lw": 2} if i == 0 else {"color": COLOURS[(i + 1) % 8], "lw": 1, "ls": "--"}
            axes.plot([100 * float(r) for r in rates], [points[r] for r in rates], label=name, **style)
        axes.set(title=f"{modality} missing", xlabel="% of patients")
    panels[0].set_ylabel("macro AUROC")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=4, fontsize=8, bbox_to_anchor=(0.5, -0.12))
    figure.tight_layout()
    return svg(figure, "What the loss of each modality costs")


def forest(subgroups: Mapping[str, Mapping[str, Any]], overall: float | None) -> str:
    """Macro AUROC per subgroup with its interval."""
    rows = [
        (f"{attribute}: {value} (n={entry['n']})", entry["macro_auroc"])
        for attribute, values in subgroups.items()
        for value, entry in values.items()
        if isinstance(entry, Mapping) and isinstance(entry.get("macro_auroc"), Mapping)
    ]
    figure = Figure(figsize=(7.2, 0.26 * max(1, len(rows)) + 0.9))
    axes = figure.subplots()
    if overall is not None:
        axes.axvline(overall, color=OTHER, lw=1, ls=":")
    for row, (_, interval) in enumerate(reversed(rows)):
        _whisker(axes, row, interval, OURS)
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    axes.set_xlabel("macro AUROC (dotted: all patients)")
    return svg(figure, "Macro AUROC per subgroup")


def coverage_cells(patterns: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Coverage of the sets, pattern by true class, against the target."""
    target = next(iter(patterns.values()))["coverage"]["target"]
    codes = list(next(iter(patterns.values()))["classes"])
    grid = np.array(
        [[_cell(entry["classes"].get(code, {})) for code in codes] for entry in patterns.values()], np.float64
    )
    figure = Figure(figsize=(0.85 * len(codes) + 2.6, 0.36 * len(patterns) + 1.3))
    axes = figure.subplots()
    axes.imshow(grid - target, cmap="RdBu", vmin=-0.1, vmax=0.1, aspect="auto")
    for (row, column), value in np.ndenumerate(grid):
        if not np.isnan(value):
            colour = "white" if abs(value - target) > 0.07 else INK
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    axes.grid(visible=False)
    axes.set_yticks(range(len(patterns)), [p.replace("+", " + ") for p in patterns])
    axes.set_xticks(
        range(len(codes)), [textwrap.fill(names.get(code, code), 18) for code in codes], rotation=40, ha="right"
    )
    axes.set_title(f"coverage; target {target:.2f} (red: below)", fontsize=9)
    return svg(figure, "Coverage of the prediction sets per pattern and diagnosis")


def _cell(entry: Mapping[str, Any]) -> float:
    value = (entry.get("coverage") or {}).get("value")
    return float("nan") if value is None else float(value)


def bars(values: Mapping[str, Mapping[str, float]], xlabel: str, label: str) -> str:
    """Grouped horizontal bars: {group: {name: value}}."""
    groups = list(values.values())
    names = list(groups[0])
    figure = Figure(figsize=(7.2, 0.34 * len(values) * max(1, len(names)) / 1.4 + 0.9))
    axes = figure.subplots()
    height = 0.8 / len(names)
    for i, name in enumerate(names):
        y = [row + height * (len(names) - 1 - i) for row in range(len(values))]
        widths, colour = [group[name] for group in reversed(groups)], (OURS, ORACLE, OTHER)[i % 3]
        axes.barh(y, widths, height=height * 0.9, color=colour, label=name)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(values))], list(reversed(list(values))))
    axes.set_xlabel(xlabel)
    if len(names) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return svg(figure, label)
