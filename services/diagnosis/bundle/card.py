"""The model card for reading: Markdown from its JSON."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

Card = Mapping[str, Any]
AS_AVAILABLE = "as-available"
"""Beside the patterns: each case answered from all that it holds."""


def card_markdown(card: Card) -> str:
    """A page that begins with the warning; then figures, fairness, the 31 source attributes, data and licences."""
    lines = [f"# {card['name']} {card['version']}", "", f"**{card['warning']}.** {card['intendedUse']}", ""]
    lines += [f"- Out of scope: {card['outOfScope']}", f"- Inputs: {card['inputs']}", f"- Outputs: {card['outputs']}"]
    lines += [f"- Training data: {card['trainingData']} Seed {card['seed']}; {card['parameters']:,} parameters."]
    lines += [f"- Licence: {card['licence']}", "", *_metrics(card["metrics"]), "", card["intervals"], ""]
    lines += [*_gains(card["metrics"]), *_external(card["metrics"])]
    lines += [*_fairness(card["metrics"].get("subgroups") or {}), *_attributes(card), *_data(card)]
    return "\n".join(lines)


def headline(card: Card) -> str:
    """One line: the widest pattern's macro AUROC, or that nothing was measured."""
    patterns = card["metrics"]["patterns"]
    if not patterns:
        return "no figures"
    widest = widest_of(patterns)
    return f"macro AUROC {_interval(patterns[widest]['macroAuroc'])} with {widest}, n = {card['metrics']['n']}"


def widest_of(patterns: Collection[str]) -> str:
    """What speaks for all cases: each answered from all it holds, else the pattern of most modalities."""
    return max(patterns, key=lambda pattern: (pattern == AS_AVAILABLE, pattern.count("+")))


def _metrics(metrics: Card) -> Iterator[str]:
    people = f"cases of {metrics['patients']} unseen" if "patients" in metrics else "unseen"
    yield from (f"## Measured on {metrics['n']} {people} patients of the same source", "")
    yield "| modalities | macro-AUROC (best possible) | accuracy (best possible) | ECE | coverage | set size |"
    yield "|---|---|---|---|---|---|"
    for pattern, m in sorted(metrics["patterns"].items(), key=lambda item: item[0].count("+")):
        yield (
            f"| {pattern}{_of(m)} | {_interval(m['macroAuroc'])}{_best(m, 'oracleMacroAuroc')} "
            f"| {_interval(m['accuracy'])}{_best(m, 'oracleAccuracy')} | {_interval(m['ece'])} "
            f"| {_interval(m['coverage'])} | {m['meanSetSize']:.2f} |"
        )
    yield from ("", "In-distribution inputs rejected as out of distribution (by design about 1 %):")
    yield from (f"- {name}: {_interval(value)}" for name, value in metrics["oodFalseRejection"].items())


def _gains(metrics: Card) -> Iterator[str]:
    """All that a case holds against one modality of it, on the same cases."""
    if not metrics.get("gains"):
        return
    yield from ("Macro AUROC of all that a case holds minus that of one modality, on the cases that hold it:", "")
    yield from (f"- {name}: {_interval(gain)}, n = {gain['n']}" for name, gain in metrics["gains"].items())
    yield ""


def _external(metrics: Card) -> Iterator[str]:
    """Cases of other sources."""
    for name, found in (metrics.get("external") or {}).items():
        yield from (f"## Measured on {found['n']} cases of {name}, which no training has seen", "")
        yield f"- set aside as strange: {_interval(found['rejected'])}"
        yield from (f"- AUROC of {event}: {_interval(value)}" for event, value in found["auroc"].items())
        yield from (f"- {found['note']}", "")


def _fairness(subgroups: Card) -> Iterator[str]:
    if not subgroups:
        return
    yield from ("## Figures per group of patients", "")
    yield "| attribute | group | n | macro-AUROC | TPR | ECE | coverage |"
    yield "|---|---|--:|---|---|---|---|"
    for attribute, groups in subgroups["attributes"].items():
        for group, m in groups["groups"].items():
            if m.get("reason"):
                yield f"| {attribute} | {group} | {m['n']} | {m['reason']} | | | |"
                continue
            cells = (_interval(m["macroAuroc"]), _number(m["tpr"]), _number(m["ece"]), _interval(m["coverage"]))
            yield f"| {attribute} | {group} | {m['n']} | {' | '.join(cells)} |"
    yield from ("", subgroups["note"], "")


def _attributes(card: Card) -> Iterator[str]:
    section = card.get("sourceAttributes")
    if section is None:
        return
    yield from (f"## Source attributes ({section['rule']})", "")
    for category in section["categories"]:
        yield from (f"### {category['number']} {category['title']}", "")
        for attribute in category["attributes"]:
            yield f"- **{attribute['id']} {attribute['title']}**: {attribute['text']}"
        yield ""


def _data(card: Card) -> Iterator[str]:
    yield from ("## Data", "", "| split | cases | source | licence | digest |", "|---|--:|---|---|---|")
    for split, data in card["data"].items():
        source, licence = data.get("source", ""), data.get("licence", "")
        yield f"| {split} | {data['cases']} | {source} | {licence} | `{data['digest']}` |"
    if card.get("parts"):
        yield from ("", "## Parts", "", "| part | origin | licence |", "|---|---|---|")
        yield from (f"| {part['part']} | {part['origin']} | {part['licence']} |" for part in card["parts"])
    yield ""


def _of(metrics: Card) -> str:
    return f" (n = {metrics['n']})" if "n" in metrics else ""


def _best(metrics: Card, name: str) -> str:
    return f" ({metrics[name]:.3f})" if metrics.get(name) is not None else ""


def _interval(value: Mapping[str, Any] | None) -> str:
    if value is None or value["value"] is None:
        return "–"
    return f"{value['value']:.3f} [{_number(value['low'])}, {_number(value['high'])}]"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
