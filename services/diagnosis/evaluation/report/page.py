"""The report: sections of plots and tables around the numbers of `metrics.json`, in one file that fetches nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment

from services.diagnosis.evaluation.report import figures
from services.diagnosis.evaluation.report.examples import Example
from services.diagnosis.evaluation.subject import Table, widest_pattern

Metrics = Mapping[str, Any]
DASH = "–"
FEW = 16
"""A table of more lines than this is folded away."""


@dataclass(frozen=True)
class Section:
    """One chapter of the page."""

    id: str
    title: str
    text: str = ""
    parts: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: Sequence[tuple[str, ...]] = ()
    details: Sequence[tuple[str, str]] = ()
    """Every figure, for those who ask for it."""


def render(metrics: Metrics, table: Table, classes: Sequence[str], examples: Sequence[Example] = ()) -> str:
    """The whole page as HTML."""
    sections = [Section("checks", "Checks"), *_sections(metrics, table, classes)]
    if examples:
        sections.append(Section("examples", "Example cases"))
    source = files("services.diagnosis.evaluation.report").joinpath("page.html.j2").read_text("utf-8")
    page = Environment(autoescape=True).from_string(source)
    passed = sum(check["passed"] for check in metrics["checks"])
    return page.render(m=metrics, sections=sections, examples=examples, passed=passed)


def _sections(metrics: Metrics, table: Table, classes: Sequence[str]) -> Iterator[Section]:
    known = metrics["patterns"]
    fullest = widest_pattern(known)
    yield _patterns(metrics)
    if metrics.get("baselines"):
        yield _baselines(metrics, fullest)
    yield from _by_class(metrics, table, classes, fullest)
    if any(entry.get("severity") for entry in known.values()):
        yield _severity(metrics)
    if metrics.get("robustness"):
        yield _robustness(metrics["robustness"])
    if metrics.get("shapley_share"):
        yield _shares(metrics)
    if metrics.get("explanations"):
        yield _explanations(metrics["explanations"])
    if metrics.get("ood"):
        yield _ood(metrics["ood"])
    if metrics.get("subgroups"):
        yield _subgroups(metrics, fullest)
    for name, title, text in REST:
        if metrics.get(name):
            yield _facts(name, title, text, metrics[name])


EXPLANATIONS = (
    "Do the explanations point at what the ward drew, and does the answer change when that is taken away? "
    "Chance and random orders are measured on the same cases."
)
REST = (
    ("availability", "Availability", "Does the model, or the dataset, read the answer from what is missing?"),
    ("temporal", "Over time", "The answer as evidence accumulates."),
    ("retrieval", "Cross-modal retrieval", "Is the same patient's other modality the nearest? Chance beside it."),
    (
        "joint",
        "Joint space",
        "Similarities, no probabilities: the same patient, the same diagnosis, and what a phrase names.",
    ),
    ("latency", "Latency", "One process, one thread."),
)


def _patterns(metrics: Metrics) -> Section:
    head = (
        "modalities",
        "n",
        "macro AUROC",
        "oracle",
        "accuracy",
        "oracle",
        "Brier",
        "ECE",
        "coverage",
        "set size",
        "AURC",
    )
    rows = []
    for pattern, entry in metrics["patterns"].items():
        coverage = entry.get("coverage") or {}
        rows.append(
            (pattern.replace("+", " + "), str(entry["n"]), interval(entry["macro_auroc"]),
             number(entry.get("oracle_macro_auroc")), number(entry["accuracy"]), number(entry.get("oracle_accuracy")),
             number(entry["brier"]), with_interval(entry, "ece"), number(coverage.get("value")),
             number(coverage.get("mean_set_size"), 2), number(entry["aurc"]))
        )  # fmt: skip
    text = "Every set of modalities a case may hold. The oracle is the best any model could do from the findings."
    return Section("patterns", "With and without each modality", text, (figures.pattern_dots(metrics),), head, rows)


def _baselines(metrics: Metrics, pattern: str) -> Section:
    head = ("model", "macro AUROC", "accuracy", "Brier", "ECE", "AURC")
    named = {"this model": metrics["patterns"][pattern]} | {
        name: entry["patterns"][pattern] for name, entry in metrics["baselines"].items() if pattern in entry["patterns"]
    }
    rows = [
        (name, interval(e["macro_auroc"]), *(with_interval(e, key) for key in ("accuracy", "brier", "ece", "aurc")))
        for name, e in named.items()
    ]
    text = f"Trained and calibrated by the same harness on the same cases; {pattern.replace('+', ' + ')}."
    return Section("baselines", "Beside the baselines", text, (figures.baseline_dots(metrics, pattern),), head, rows)


def _by_class(metrics: Metrics, table: Table, classes: Sequence[str], pattern: str) -> Iterator[Section]:
    bins = {p: e["reliability_curve"] for p, e in metrics["patterns"].items() if e.get("reliability_curve")}
    if bins:
        text = "Bins of equal mass. On the dotted line, stated and observed probability agree."
        yield Section("reliability", "Calibration", text, (figures.reliability(bins),))
    members = table.members[pattern]
    known = ~np.isnan(members).any((0, 2))
    probabilities, labels = members[:, known, : len(classes)].mean(0), table.labels[known]
    text = f"{pattern.replace('+', ' + ')}, each class against the rest."
    yield Section("curves", "ROC and precision–recall", text, (figures.curves(probabilities, labels, classes),))
    text = "A model that knows what it does not know errs less among the cases it is most certain of, in every class."
    yield Section("selective", "Risk and coverage", text, (figures.risk_coverage(probabilities, labels, classes),))
    if table.sets:
        codes = next(iter(metrics["patterns"].values()))["classes"]
        names = dict(zip(codes, classes, strict=True))
        text = "How often the prediction set holds the truth, cell by cell."
        yield Section("sets", "Prediction sets", text, (figures.coverage_cells(metrics["patterns"], names),))


def _severity(metrics: Metrics) -> Section:
    """Per pattern, each figure beside the oracle's."""
    head = ("modalities", "n", *(part for _, title in SEVERITY for part in (title, "oracle")))
    rows = []
    for pattern, entry in metrics["patterns"].items():
        found = entry.get("severity")
        if found:
            best = found.get("oracle") or {}
            pairs = ((interval(found[name]), number((best.get(name) or {}).get("value"))) for name, _ in SEVERITY)
            rows.append((pattern.replace("+", " + "), str(found["n"]), *(cell for pair in pairs for cell in pair)))
    text = "Mild, moderate or severe. The score is the mean squared error of the two steps; the best is the oracle's."
    return Section("severity", "Severity of the illness", text, (), head, rows)


SEVERITY = (
    ("moderate_auroc", "AUROC at least moderate"),
    ("severe_auroc", "AUROC severe"),
    ("ranked_probability_score", "ranked probability score"),
    ("moderate_ece", "ECE at least moderate"),
    ("severe_ece", "ECE severe"),
)


def _robustness(robustness: Metrics) -> Section:
    lines = robustness.get("curves", {})
    parts = (figures.missingness(lines),) if lines else ()
    rows = [
        (name, *_flat(value))
        for name, value in robustness.items()
        if name != "curves" and not isinstance(value, Mapping)
    ]
    text = "What it costs when a modality is missing from more and more patients; dashed: baselines."
    return Section("robustness", "Missing modalities", text, parts, ("", "value") if rows else (), rows)


def _shares(metrics: Metrics) -> Section:
    own, oracle = metrics["shapley_share"], metrics.get("oracle_shapley_share")
    groups = {name: {"this model": own[name]} | ({"oracle": oracle[name]} if oracle else {}) for name in own}
    text = "Share of each modality in the mean absolute exact Shapley value; near zero, the model ignores it."
    plot = figures.bars(groups, "share", "Modality shares of the explanation")
    return Section("shares", "Who is heard", text, (plot,))


def _explanations(found: Metrics) -> Section:
    """One row per modality; everything else on demand."""
    head = ("", "points at truth", "chance", "deletion gap", "beats random", "insertion gap", "comprehensive", "random")
    faithfulness, localisation = found["faithfulness"], found["localisation"]
    rows = []
    for modality, headline in POINTING.items():
        entry = faithfulness.get(modality) or {}
        rows.append(
            (modality, number(localisation.get(headline), 2), number(localisation.get(f"{headline}_chance"), 2),
             with_interval(entry, "deletion_gap"), number(entry.get("deletion_beats_random"), 2),
             with_interval(entry, "insertion_gap"), number(entry.get("comprehensiveness"), 2),
             number(entry.get("comprehensiveness_random"), 2))
        )  # fmt: skip
    return Section("explanations", "Explanations", EXPLANATIONS, (), head, rows, list(_lines(found)))


POINTING = {"image": "heatmap_pointing_game", "note": "span_f1", "vitals": "window_iou"}


def with_interval(entry: Metrics, name: str) -> str:
    """A figure that has its interval under `intervals`."""
    return interval({"value": entry.get(name), **((entry.get("intervals") or {}).get(name) or {})})


def _ood(ood: Metrics) -> Section:
    rows = []
    for modality, entry in ood.items():
        rows.append((modality, "all far", number(entry.get("auroc")), number(entry.get("fpr95"))))
        for kind, case in (entry.get("cases") or {}).items():
            rows.append(("", kind.replace("_", " "), number(case.get("auroc")), number(case.get("fpr95"))))
    text = "Can inputs that are no chest film, no admission note, no vital signs of a person be told by their score?"
    return Section("ood", "Out of distribution", text, (), ("modality", "input", "AUROC", "FPR at 95 % TPR"), rows)


def _subgroups(metrics: Metrics, pattern: str) -> Section:
    overall = metrics["patterns"][pattern]["macro_auroc"]["value"]
    text = "Each subgroup against all patients. Wide intervals mean few patients, not fairness."
    return Section("subgroups", "Subgroups", text, (figures.forest(metrics["subgroups"], overall),))


def _facts(identifier: str, title: str, text: str, facts: Metrics) -> Section:
    lines = list(_lines(facts))
    if len(lines) > FEW:
        return Section(identifier, title, text, details=lines)
    return Section(identifier, title, text, (), ("", "value"), lines)


def _lines(facts: Metrics, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested numbers as lines; an interval is one line."""
    for name, value in facts.items():
        if name == "intervals":
            continue
        label = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, Mapping) and "value" in value:
            yield label, interval(value)
        elif isinstance(value, Mapping):
            yield from _lines(value, f"{label}: ")
        elif not isinstance(value, list):
            low_high = (facts.get("intervals") or {}).get(name)
            yield label, interval({"value": value, **low_high}) if low_high else _flat(value)[0]


def _flat(value: Any) -> tuple[str]:
    return (number(value) if isinstance(value, float | int) and not isinstance(value, bool) else str(value),)


def number(value: float | None, digits: int = 3) -> str:
    """A number for reading; a dash where there is none."""
    return DASH if value is None else f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def interval(value: Mapping[str, Any]) -> str:
    """`0.873 [0.861, 0.884]`."""
    if value.get("low") is None or value["value"] is None:
        return number(value["value"])
    return f"{number(float(value['value']))} [{number(float(value['low']))}, {number(float(value['high']))}]"
