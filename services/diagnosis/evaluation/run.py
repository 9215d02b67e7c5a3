"""One evaluation from subject and dataset to numbers, verdicts and page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from services.diagnosis.datasets.base import Dataset, Split, Task
from services.diagnosis.evaluation.checks import judge
from services.diagnosis.evaluation.collect import Sample, collect
from services.diagnosis.evaluation.comparison import FOLDS, bundled_baselines, cross_validated, gains, regrets
from services.diagnosis.evaluation.metrics.availability import evaluate_availability
from services.diagnosis.evaluation.metrics.missingness import compare_missing, missing
from services.diagnosis.evaluation.metrics.patterns import class_names, evaluate_all
from services.diagnosis.evaluation.metrics.shares import modality_shares
from services.diagnosis.evaluation.metrics.subgroups import evaluate_subgroups
from services.diagnosis.evaluation.metrics.view import fully_observed, probabilities_of
from services.diagnosis.evaluation.probes.asking import held
from services.diagnosis.evaluation.probes.retrieval import measure_retrieval
from services.diagnosis.evaluation.probes.suite import Scope, run_probes
from services.diagnosis.evaluation.report.examples import Example, diagnosis_name, example
from services.diagnosis.evaluation.report.page import render
from services.diagnosis.evaluation.subject import Array, Subject, Table, widest_pattern
from services.diagnosis.training.jobs import run_side_by_side
from services.diagnosis.training.progress import Reporter
from shared.codes import DIAGNOSES
from shared.digests import digest_json

SCHEMA = "consilium-evaluation/1"
SYNTHETIC = "Synthetic data, not for clinical use"
SMALL = "Small research data, no clinical claim"
EXAMPLES = 3
NAIVE = "zero-imputation"
"""The baseline whose loss ours is held against when modalities go missing."""
COARSE = 5
"""Baselines are resampled a fifth as often as the subject: their intervals are for reading, the gains' are paired."""


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    seed: int = 0
    patients: int | None = None
    shift: str | None = None
    split: Split | None = None
    explain: int = 60
    resamples: int = 1000
    baselines: bool = True
    processes: int = 2
    command: str = "consilium evaluate"


@dataclass(frozen=True)
class Evaluation:
    """Everything that was found."""

    metrics: dict[str, Any]
    table: Table
    classes: tuple[str, ...]
    examples: tuple[Example, ...] = field(default=())

    def page(self) -> str:
        """The report as self-contained HTML."""
        return render(self.metrics, self.table, self.classes, self.examples)


def run(
    subject: Subject, bundle: Path | None, dataset: Dataset, task: Task, options: Options, reporter: Reporter
) -> Evaluation:
    """Judge a subject on a dataset.

    Args:
        bundle: directory in which baselines may lie; None: there are none.
    Raises: DatasetError, JobFailed; ValueError: not a single labelled case.
    """
    task = task.asked_of(getattr(subject, "labels", DIAGNOSES))
    count = min(len(dataset), options.patients or len(dataset))
    with reporter.stage("cases", count) as advance:
        sample = Sample(task, options.split, options.patients)
        table = collect(subject, dataset, sample, processes=options.processes, on_case=advance)
    others = _others(subject, bundle, dataset, task, table, options, reporter) if options.baselines else {}
    found = _measure(subject, table, others, task, options, reporter)
    if options.explain:
        scope = Scope(dataset, task, options.split, min(options.explain, count), options.seed)
        found |= _arranged(run_probes(subject, scope, reporter, processes=options.processes))
    metrics = {**_head(subject, dataset, task, options, table), **found}
    metrics["checks"] = judge(metrics)
    names = tuple(diagnosis_name(k) for k in range(len(task.classes))) if _is_whole(task) else task.classes
    return Evaluation(plain(metrics), table, names, _examples(subject, dataset, task, options, names))


def _others(
    subject: Subject,
    bundle: Path | None,
    dataset: Dataset,
    task: Task,
    table: Table,
    options: Options,
    reporter: Reporter,
) -> dict[str, Table]:
    """The bundle's own baselines where the cases are of the kind it was trained on; else trained here."""
    if dataset.name == "ward":
        return bundled_baselines(bundle, table) if bundle is not None and _is_whole(task) else {}
    with reporter.stage("baselines, cross-validated", FOLDS) as advance:
        return cross_validated(
            subject, dataset, task, table, seed=options.seed, processes=options.processes, on_fold=advance
        )


def _is_whole(task: Task) -> bool:
    """Does the task ask for the bundle's own labels, one by one."""
    return task.answered_by == "diagnosis" and not task.groups


def _head(subject: Subject, dataset: Dataset, task: Task, options: Options, table: Table) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "dataset": dataset.name,
        "shift": options.shift,
        "split": options.split,
        "task": task.name,
        "seed": options.seed,
        "n": len(table.labels),
        "data_digest": digest_json([table.patients.tolist(), table.labels.tolist()]),
        "resamples": options.resamples,
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "command": options.command,
        "licence": dataset.licence,
        "warning": SYNTHETIC if dataset.name == "ward" else SMALL,
        "bundle": {"name": subject.name, "version": subject.version, "digest": subject.digest},
    }


def _measure(
    subject: Subject, table: Table, others: Mapping[str, Table], task: Task, options: Options, reporter: Reporter
) -> dict[str, Any]:
    """Figures that need the answers alone, side by side."""
    seed, resamples = options.seed, options.resamples
    classes = class_names(len(task.classes)) if _is_whole(task) else task.classes
    widest = widest_pattern(table.members)
    prevalence = getattr(subject, "prevalence", None) if _is_whole(task) else None
    parts: dict[str, Callable[[], Any]] = {
        "patterns": lambda: evaluate_all(table, seed=seed, resamples=resamples, classes=classes),
        "subgroups": lambda: evaluate_subgroups(table, widest, seed=seed, resamples=resamples // COARSE),
        "gains": lambda: gains(table, others, widest, seed=seed, resamples=resamples),
    }
    if any("+" in pattern for pattern in table.members):
        parts |= {
            "regrets": lambda: regrets(table, seed=seed, resamples=resamples),
            "availability": lambda: evaluate_availability(table, seed=seed, resamples=resamples, classes=classes),
            "shares": lambda: modality_shares(
                table, prevalence=prevalence, seed=seed, resamples=resamples, classes=classes
            ),
            "robustness": lambda: _robustness(table, others, seed, resamples // COARSE),
            "retrieval": lambda: measure_retrieval(table, seed=seed),
        }
    for name, other in others.items():
        parts[f"baseline {name}"] = partial(
            evaluate_all, other, seed=seed, resamples=resamples // COARSE, classes=classes
        )
    with reporter.stage("metrics", len(parts)) as advance:
        jobs = [_counted(part) for part in parts.values()]
        answers = run_side_by_side(jobs, processes=options.processes, on_step=advance)
    return _gathered(dict(zip(parts, answers, strict=True)))


def _counted(part: Callable[[], Any]) -> Callable[[Callable[[], None]], Any]:
    def job(advance: Callable[[], None]) -> Any:
        result = part()
        advance()
        return result

    return job


def _gathered(found: dict[str, Any]) -> dict[str, Any]:
    baselines = {
        name.removeprefix("baseline "): {"patterns": found.pop(name)}
        for name in list(found)
        if name.startswith("baseline ")
    }
    shares = found.pop("shares", None)
    metrics = {**found, "baselines": baselines}
    if shares is not None:
        metrics["shapley_share"] = shares["share"]
        metrics["oracle_shapley_share"] = shares["oracle"]["share"] if shares["oracle"] else None
        metrics["shapley"] = shares
    return metrics


def _robustness(table: Table, others: Mapping[str, Table], seed: int, resamples: int) -> dict[str, Any]:
    """Curves of the subject and of the baselines that answer every pattern."""
    own = missing(table, seed=seed, resamples=resamples)
    complete = {name: other for name, other in others.items() if set(other.members) == set(table.members)}
    beside = {name: missing(other, seed=seed, resamples=resamples) for name, other in complete.items()}
    curves = {
        modality: {"this model": entry["macro_auroc"]}
        | {n: found[modality]["macro_auroc"] for n, found in beside.items()}
        for modality, entry in own.items()
    }
    found: dict[str, Any] = {"missing": own, "curves": curves}
    if NAIVE in complete:
        modalities, rows = fully_observed(table)

        def against_naive(answers: Mapping[str, Array]) -> dict[str, Any]:
            return compare_missing(
                {pattern: values[rows] for pattern, values in answers.items()}, naive, table.labels[rows],
                table.patients[rows], modalities, seed=seed, resamples=resamples,
            )  # fmt: skip

        naive = {pattern: values[rows] for pattern, values in probabilities_of(complete[NAIVE]).items()}
        found["against_zero_imputation"] = against_naive(probabilities_of(table))
        if table.posterior is not None and set(table.posterior) >= set(table.members):
            found["oracle_against_zero_imputation"] = against_naive(table.posterior)
    return found


def _arranged(probes: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Probes under the names of the schema; the headline figures of the explanations in one place."""
    localisation, faithfulness = probes["localisation"], probes["faithfulness"]
    headline = ("heatmap_pointing_game", "span_f1", "window_iou")
    explanations = {
        "n": faithfulness["n"],
        **{name: localisation.get(name) for name in headline},
        "deletion_beats_random": faithfulness["deletion_beats_random"],
        "localisation": localisation,
        "faithfulness": faithfulness,
        "additivity": probes["additivity"],
    }
    explanations |= {name: probes[name] for name in ("randomisation", "integration") if name in probes}
    found = {"explanations": explanations, "ood": probes["ood"], "latency": probes["latency"]}
    return found | {name: probes[name] for name in ("temporal", "gaps", "joint") if name in probes}


def _examples(
    subject: Subject, dataset: Dataset, task: Task, options: Options, names: tuple[str, ...]
) -> tuple[Example, ...]:
    """The first cases, not chosen."""
    shown: list[Example] = []
    for case in dataset.cases(split=options.split):
        if len(shown) == min(EXAMPLES, options.explain):
            break
        if not held(case.inputs):
            continue
        truth = names[case.targets[task.name]] if task.name in case.targets else "unknown"
        shown.append(example(case, subject.explain(case.inputs), truth))
    return tuple(shown)


def plain(value: Any, digits: int = 6) -> Any:
    """JSON values: numbers rounded, what is not finite None."""
    if isinstance(value, dict):
        return {str(key): plain(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, digits) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), digits)
    if isinstance(value, np.generic):
        return plain(value.item(), digits)
    if isinstance(value, float):
        return round(value, digits) if np.isfinite(value) else None
    return value
