"""`consilium train`."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[str, typer.Option(help="demo, large (for a GPU) or research-cxr (real radiographs).")] = "demo",
    note_encoder: Annotated[
        Path | None, typer.Option(help="Directory of a pretrained text encoder to begin from; nothing is downloaded.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bundle.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the bundle; its old content is replaced [default: out/RECIPE].")
    ] = None,
    patients: Annotated[int | None, typer.Option(min=192, help="Cases in all; default: the recipe's.")] = None,
    epochs_scale: Annotated[float, typer.Option(min=0.01, help="Multiplies every epoch count.")] = 1.0,
    processes: Annotated[int, typer.Option(min=1, help="Processes side by side; the result is the same.")] = 2,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what an interrupted run had done.")] = False,
    checkpoint_every: Annotated[float, typer.Option(min=0, help="Seconds between two checkpoints.")] = 60.0,
    metrics: Annotated[
        Path | None, typer.Option(help="Directory of the metrics, for `tensorboard --logdir` [default: OUT.metrics].")
    ] = None,
    precision: Annotated[str, typer.Option(help="32, bf16-mixed, or 16-mixed (GPU only).")] = "32",
    device: Annotated[str, typer.Option(help="auto: a GPU if there is one; or cpu.")] = "auto",
    key: Annotated[
        Path | None, typer.Option(help="Private key (PEM) that signs the bundle; default: your own, made if needed.")
    ] = None,
    path: Annotated[
        Path | None, typer.Option(help="Folder of the chest X-ray cohort, for --recipe research-cxr.")
    ] = None,
    paediatric: Annotated[
        Path | None, typer.Option(help="Folder of the children's radiographs, asked about and never learned from.")
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress bar.")] = False,
) -> None:
    """Train a model bundle: on the synthetic ward, or with --recipe research-cxr on a folder of real radiographs.

    The stages: draw the cases, teach each encoder its own modality, encode every case once, teach the fusion ensemble
    every pattern of present and absent modalities, calibrate each pattern, evaluate on cases not seen before, write.

    An interrupted run goes on: give the same command again. Its checkpoints lie in OUT.work, under a key of recipe and
    seed, and are removed on success; the bundle is the one that an uninterrupted run gives, byte for byte.

    Metrics: OUT.metrics holds a folder per stage, with metrics.jsonl and TensorBoard's file of the same numbers.

    Several GPUs share every batch: torchrun --nproc-per-node 2 -m services.diagnosis.training.cli --seed 1

    Exit code 1: training stopped, and the message says why and what to change.
    """
    # Read once, when torch loads its OpenMP. Threads that spin at every barrier make small operations about nine times
    # slower as soon as another process wants a core (measured: 0.84 s against 0.09 s for one step of the fusion).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from services.diagnosis.bundle.keys import local_key, read_private_key
    from services.diagnosis.training.recipe import RECIPES

    require_one_of(recipe, tuple(RECIPES), "--recipe")
    require_one_of(precision, ("32", "bf16-mixed", "16-mixed"), "--precision")
    require_one_of(device, ("auto", "cpu"), "--device")
    _require_data_of(recipe, path, paediatric, patients)
    chosen, out = RECIPES[recipe].scaled(patients=patients, epochs=epochs_scale), out or Path("out", recipe)
    if note_encoder is not None:
        note = replace(chosen.model.note, pretrained=str(note_encoder))
        chosen = replace(chosen, model=replace(chosen.model, note=note))
    from services.diagnosis.datasets.base import DatasetError
    from services.diagnosis.training.loop.session import Session, close_work, is_first, open_work
    from services.diagnosis.training.precision import require_precision
    from shared.errors import AppError

    try:
        require_precision(precision, device)
        work = open_work(out, {**asdict(chosen), **({"path": str(path)} if path else {})}, seed, fresh=fresh)
        told = metrics or out.with_name(out.name + ".metrics")
        session = Session(work, told, precision, device, checkpoint_every)  # type: ignore[arg-type]
        # Every process of torchrun ends with the same bundle; the first one keeps it.
        place = out if is_first() else Path(tempfile.mkdtemp()) / out.name
        quiet = quiet or not is_first()
        private = read_private_key(key or local_key())
        if path is None:
            from services.diagnosis.training.demo import train_demo

            train_demo(place, seed=seed, recipe=chosen, processes=processes, quiet=quiet, session=session, key=private)
        else:
            from services.diagnosis.training.research import train_research

            train_research(
                place, path, paediatric=paediatric, seed=seed, recipe=chosen, processes=processes, quiet=quiet,
                session=session, key=private,
            )  # fmt: skip
    except AppError as error:
        print(f"{error.title}: {error.detail}", file=sys.stderr)
        raise typer.Exit(1) from None
    except DatasetError as error:
        print(f"Dataset unusable: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if is_first():
        close_work(work)


def _require_data_of(recipe: str, path: Path | None, paediatric: Path | None, patients: int | None) -> None:
    """Real cases lie in a folder and are as many as they are; the ward's are made."""
    if recipe == "research-cxr":
        if path is None:
            raise typer.BadParameter("research-cxr is trained on a folder: say where it is", param_hint="--path")
        if patients is not None:
            raise typer.BadParameter("research-cxr takes all cases of the folder", param_hint="--patients")
    elif path is not None or paediatric is not None:
        raise typer.BadParameter(f"{recipe} makes its cases and reads no folder", param_hint="--path, --paediatric")


def require_one_of(value: str, known: tuple[str, ...], option: str) -> None:
    """Raises: typer.BadParameter: the value of an option is none of those known."""
    if value not in known:
        raise typer.BadParameter(f"unknown value {value!r}; known: {', '.join(known)}", param_hint=option)


if __name__ == "__main__":
    typer.run(train)
