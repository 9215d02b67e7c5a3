"""`consilium evaluate`."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from services.diagnosis.datasets.base import Dataset, Task
    from services.diagnosis.evaluation.run import Evaluation, Options


def evaluate(
    dataset: Annotated[
        str, typer.Option(help="ward, cxr-cohort, cxr-paediatric, physionet-2012, open-i, mimic or hospital.")
    ] = "ward",
    bundle: Annotated[Path | None, typer.Option(help="Directory of the bundle (default: the demo bundle).")] = None,
    path: Annotated[Path | None, typer.Option(help="Where the dataset lies; the ward needs none.")] = None,
    patients: Annotated[
        int | None, typer.Option(min=1, help="At most so many cases (default: all; ward: 1000).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the ward and of every resampling.")] = 0,
    shift: Annotated[str, typer.Option(help="Conditions of the ward, as in `consilium synth`.")] = "standard",
    task: Annotated[str | None, typer.Option(help="Which question (default: the dataset's first).")] = None,
    split: Annotated[
        Literal["train", "calibration", "test"] | None, typer.Option(help="Patients of one split (default: all).")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write every number here.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="Write the report with plots here.")] = None,
    card_file: Annotated[Path | None, typer.Option("--card", help="Write the model card's evaluation here.")] = None,
    explain: Annotated[int, typer.Option(min=0, help="Cases whose explanations, inputs and courses are probed.")] = 60,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples of patients.")] = 1000,
    baselines: Annotated[bool, typer.Option(help="Judge the bundle's baselines too, or train them.")] = True,
    processes: Annotated[int, typer.Option(min=1, help="Processes side by side; the numbers are the same.")] = 2,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="KEY=VALUE for the dataset's reader; may be repeated.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="A label named in a note is an error; a failed check too.")
    ] = False,
    quiet: Annotated[bool, typer.Option(help="No progress, no tables.")] = False,
) -> None:
    """Judge a model bundle on cases it has never seen: every number with its interval, beside oracle and baselines.

    The ward's seed should be one that no training used (training wards start at 1,000,000). No clinical claim.
    """
    # As in `consilium train`: read once, when torch loads its OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from rich.console import Console

    from services.diagnosis.bundle.errors import BundleError
    from services.diagnosis.bundle.location import DEMO_BUNDLE
    from services.diagnosis.datasets.base import DatasetError
    from services.diagnosis.training.jobs import JobFailed

    console = Console(stderr=True, quiet=quiet)
    try:
        source = _open(dataset, path, seed, patients, shift, option or [])
        chosen = _task(source, task)
        for line in source.check(strict=strict).lines():
            console.print(line, highlight=False)
        from services.diagnosis.evaluation.run import Options  # slow: torch; what is wrong above is said at once

        wanted = Options(
            seed=seed,
            patients=patients,
            shift=shift if source.name == "ward" else None,
            split=split,
            explain=explain,
            resamples=resamples,
            baselines=baselines,
            processes=processes,
            command="consilium " + shlex.join(sys.argv[1:]),
        )
        done = _run(bundle or DEMO_BUNDLE, source, chosen, wanted, quiet=quiet)
    except (DatasetError, BundleError, JobFailed, ValueError) as error:
        Console(stderr=True).print(f"[red]evaluate stopped:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    _write(done, json_file, html_file, card_file, console)
    if not quiet:
        _show(done.metrics)
    if strict and not all(check["passed"] for check in done.metrics["checks"]):
        raise typer.Exit(1)


def _open(name: str, path: Path | None, seed: int, patients: int | None, shift: str, given: list[str]) -> Dataset:
    from services.diagnosis.datasets.registry import open_dataset

    options: dict[str, Any] = {}
    if name == "ward":
        options = {"seed": seed, "patients": patients or WARD_PATIENTS, "shift": shift}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--option")
        options[key] = int(value) if value.isdigit() else value
    return open_dataset(name, path, **options)


WARD_PATIENTS = 1000


def _task(source: Dataset, name: str | None) -> Task:
    """A task that a bundle can answer; by default the first."""
    known = {task.name: task for task in source.tasks if task.answered_by is not None}
    if not known:
        raise ValueError(f"{source.name} asks nothing that a bundle answers")
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        choice = ", ".join(known)
        raise typer.BadParameter(
            f"{source.name} has no task {name!r} for a bundle; choose {choice}", param_hint="--task"
        )
    return known[name]


def _run(bundle: Path, source: Dataset, task: Task, options: Options, *, quiet: bool) -> Evaluation:
    import torch

    from services.diagnosis.evaluation.bundle_subject import BundleSubject
    from services.diagnosis.evaluation.run import run
    from services.diagnosis.training.progress import Reporter

    torch.set_num_threads(1)
    subject = BundleSubject.load(bundle)
    with Reporter(quiet=quiet) as reporter:
        return run(subject, bundle, source, task, options, reporter)


def _write(
    done: Evaluation, json_file: Path | None, html_file: Path | None, card: Path | None, console: Console
) -> None:
    import json

    from services.diagnosis.evaluation.report.card_text import card_text

    texts: tuple[tuple[Path | None, Callable[[], str]], ...] = (
        (json_file, lambda: json.dumps(done.metrics, indent=1, allow_nan=False) + "\n"),
        (html_file, done.page),
        (card, lambda: card_text(done.metrics)),
    )
    for file, text in texts:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text(), encoding="utf-8")
            console.print(f"written: {file}", highlight=False)


def _distance(entry: dict[str, Any]) -> str:
    """The oracle's macro AUROC minus the model's; a dash where no oracle is."""
    from services.diagnosis.evaluation.report.page import DASH, interval

    found = (entry.get("distance_to_oracle") or {}).get("macro_auroc")
    return interval(found) if found and found["value"] is not None else DASH


def _show(metrics: dict[str, Any]) -> None:
    """The patterns and the checks, on the terminal."""
    from rich.console import Console
    from rich.table import Table

    from services.diagnosis.evaluation.report.page import interval, number, with_interval

    console = Console()
    title = f"{metrics['bundle']['name']} {metrics['bundle']['version']} on {metrics['dataset']}, n = {metrics['n']}"
    table = Table(
        "modalities",
        "macro AUROC",
        "distance to oracle",
        "accuracy",
        "Brier",
        "ECE",
        "coverage",
        "set size",
        title=title,
    )
    for pattern, entry in metrics["patterns"].items():
        coverage = entry.get("coverage") or {}
        table.add_row(
            pattern, interval(entry["macro_auroc"]), _distance(entry),
            number(entry["accuracy"]), number(entry["brier"]), with_interval(entry, "ece"),
            number(coverage.get("value")), number(coverage.get("mean_set_size"), 2),
        )  # fmt: skip
    console.print(table)
    for check in metrics["checks"]:
        mark = "[green]passed[/]" if check["passed"] else "[red]FAILED[/]"
        console.print(f"{mark} {check['name']}: {check['detail']}", highlight=False)
    console.print(f"[yellow]{metrics['warning']}.[/]")
