"""The evaluation section of a model card, written from the numbers and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.diagnosis.evaluation.report.page import interval, number, with_interval

Metrics = Mapping[str, Any]


def card_text(metrics: Metrics) -> str:
    """Markdown. Failed checks come before the figures: a reader who stops early has read the worst."""
    bundle = metrics["bundle"]
    shift = f", shift {metrics['shift']}" if metrics.get("shift") not in {None, "standard"} else ""
    lines = [
        f"## Evaluation of {bundle['name']} {bundle['version']} on {metrics['dataset']}{shift}",
        "",
        f"**{metrics['warning']}.** {metrics['n']} cases, task {metrics['task']}, seed {metrics['seed']}, bundle "
        f"`{bundle['digest']}`. Brackets: 95 % intervals, bootstrap over patients.",
        "",
        *_failures(metrics),
        *_patterns(metrics),
        *_comparison(metrics),
        "",
        f"Made by `{metrics['command']}`.",
        "",
    ]
    return "\n".join(lines)


def _failures(metrics: Metrics) -> list[str]:
    failed = [check for check in metrics["checks"] if not check["passed"]]
    if not failed:
        return [f"All {len(metrics['checks'])} checks passed.", ""]
    total = len(metrics["checks"])
    return [f"{len(failed)} of {total} checks failed:", "", *(f"- {c['name']}: {c['detail']}" for c in failed), ""]


def _patterns(metrics: Metrics) -> list[str]:
    lines = [
        "| modalities | n | macro AUROC | oracle | accuracy | Brier | ECE | coverage | mean set |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for pattern, entry in metrics["patterns"].items():
        coverage = entry.get("coverage") or {}
        cells = (
            pattern, str(entry["n"]), interval(entry["macro_auroc"]), number(entry.get("oracle_macro_auroc")),
            number(entry["accuracy"]), number(entry["brier"]), with_interval(entry, "ece"),
            number(coverage.get("value")), number(coverage.get("mean_set_size"), 2),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _comparison(metrics: Metrics) -> list[str]:
    """One sentence per gain over baselines; a gain whose interval crosses 0 is called none."""
    lines = []
    for name, gain in (metrics.get("gains") or {}).items():
        claim = "a gain" if gain["low"] > 0 else "a loss" if gain["high"] < 0 else "no difference shown"
        lines.append(f"- {name.replace('_', ' ')}: {interval(gain)} macro AUROC, {claim}.")
    return ["", "Compared on the same cases:", "", *lines] if lines else []
