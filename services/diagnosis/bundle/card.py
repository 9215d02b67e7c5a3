"""The model card for reading: Markdown from its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def card_markdown(card: Mapping[str, Any]) -> str:
    """A page that begins with the warning and ends with the figures."""
    lines = [f"# {card['name']} {card['version']}", "", f"**{card['warning']}.** {card['intendedUse']}", ""]
    lines += [f"- Out of scope: {card['outOfScope']}", f"- Inputs: {card['inputs']}", f"- Outputs: {card['outputs']}"]
    lines += [f"- Training data: {card['trainingData']} Seed {card['seed']}; {card['parameters']:,} parameters."]
    lines += [f"- Licence: {card['licence']}", "", *_metrics(card["metrics"]), "", card["intervals"], ""]
    return "\n".join(lines)


def _metrics(metrics: Mapping[str, Any]) -> list[str]:
    rows = [
        f"## Measured on {metrics['n']} unseen ward patients",
        "",
        "| modalities | macro-AUROC (best possible) | accuracy (best possible) | ECE | coverage | set size |",
        "|---|---|---|---|---|---|",
    ]
    for pattern, m in metrics["patterns"].items():
        rows.append(
            f"| {pattern} | {_interval(m['macroAuroc'])} ({m['oracleMacroAuroc']:.3f}) "
            f"| {_interval(m['accuracy'])} ({m['oracleAccuracy']:.3f}) | {_interval(m['ece'])} "
            f"| {_interval(m['coverage'])} | {m['meanSetSize']:.2f} |"
        )
    rows += ["", "In-distribution inputs rejected as out of distribution (by design about 1 %):"]
    rows += [f"- {name}: {_interval(value)}" for name, value in metrics["oodFalseRejection"].items()]
    return rows


def _interval(value: Mapping[str, float]) -> str:
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
