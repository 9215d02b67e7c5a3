"""`consilium bench`: what this machine gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from services.diagnosis.training.cli import require_one_of

bench = typer.Typer(no_args_is_help=True)


@bench.callback()
def _group() -> None:
    """Measure what this machine gives."""
    # Without a callback typer would make the only command of a group the group itself.


@bench.command()
def gpu(
    recipe: Annotated[str, typer.Option(help="Whose network: large or demo.")] = "large",
    device: Annotated[str, typer.Option(help="auto or cuda: a GPU; cpu: the processor.")] = "auto",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Cases per step [default: the recipe's].")] = None,
    precision: Annotated[str, typer.Option(help="bf16, 32, or auto: bf16 on a GPU.")] = "auto",
    seconds: Annotated[float, typer.Option(min=0.01, help="Of each measurement, at least.")] = 2.0,
    out: Annotated[Path | None, typer.Option("--json", help="Write all figures into this file.")] = None,
) -> None:
    """Measure the matrix rate of a device, and how much of it the network reaches in training and inference.

    Every encoder, the fusion ensemble and the whole network, forward and backward, on random cases: one film, one full
    window of a note, 1,000 readings. Rates are the median over repeated steps after a warm-up; the share is of the best
    matrix product of the same run in the same precision.

    Exit status 1: there is no GPU (`--device cpu` measures the processor), or a batch does not fit into memory.
    """
    from rich.console import Console

    from services.diagnosis.bench.device import Bench
    from services.diagnosis.training.recipe import RECIPES
    from shared.errors import AppError

    require_one_of(recipe, tuple(RECIPES), "--recipe")
    require_one_of(device, ("auto", "cuda", "cpu"), "--device")
    require_one_of(precision, ("auto", "bf16", "32"), "--precision")
    chosen = RECIPES[recipe]
    size = batch_size or chosen.batch_size
    try:
        where = Bench.of(device, precision, seconds)
        from services.diagnosis.bench.measure import measure
        from services.diagnosis.bench.report import as_json, print_tables

        with Console(stderr=True).status("") as status:
            measured = measure(where, chosen.model, size, on_step=lambda told: status.update(told))
    except AppError as error:
        typer.echo(f"{error.title}: {error.detail}", err=True)
        raise typer.Exit(1) from error
    print_tables(measured, where, Console(), recipe=recipe, batch_size=size)
    if out is not None:
        told = as_json(measured, where, recipe=recipe, batch_size=size)
        out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
