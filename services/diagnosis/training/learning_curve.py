"""What more cases bring the fusion: `python -m services.diagnosis.training.learning_curve`.

The same encoders and the same number of steps; only the number of cases to learn from differs. A model that knows what
it does not know doubts less with more of them: its epistemic uncertainty falls, while the aleatoric stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from services.diagnosis.bundle.contents import read_bundle
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.evaluation.metrics.discrimination import macro_auroc
from services.diagnosis.evaluation.metrics.intervals import summarise
from services.diagnosis.inference.engine import Engine
from services.diagnosis.inference.uncertainty import decompose, epistemic
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded
from services.diagnosis.model.network import stack
from services.diagnosis.training.align import Split
from services.diagnosis.training.align_bundle import encode_stretch
from services.diagnosis.training.fuse import TokenCache
from services.diagnosis.training.fusion_modes import UNSEEN_FROM, learn_and_ask
from services.diagnosis.training.jobs import Advance, Job, run_side_by_side
from services.diagnosis.training.recipe import RECIPES

Array = NDArray[np.float64]
SIZES = (250, 500, 1000, 2000, 4000)


def learning_curve(
    directory: Path,
    *,
    sizes: Sequence[int] = SIZES,
    test: int,
    members: int,
    steps: int,
    seed: int = 1,
    processes: int = 2,
) -> dict[int, dict[str, float]]:
    """Cases learned from -> `macro_auroc`, `epistemic` and `aleatoric` in nats, of unseen cases with all modalities.

    `low` and `high` are the 95 % interval of the mean epistemic uncertainty over cases.

    Args: test: cases to ask about; members: at least 2, of each ensemble; steps: of each member.
    Raises: BundleMissing, BundleTampered, BundleUnreadable; as `training.loop.optimise`.
    """
    torch.set_num_threads(1)
    _, contents = read_bundle(directory)
    config, network = contents.config, Engine.build(contents).network
    known = encode_stretch(contents, network, 0, max(sizes), processes)
    unseen = encode_stretch(contents, network, UNSEEN_FROM, test, processes)
    asked = stack(unseen.encoded, test, config)
    caches = {size: _first(known, size, config) for size in sizes}

    def job(size: int, member: int) -> Job:
        def run(_: Advance) -> Array:
            epochs = max(1, round(steps / max(1, size // RECIPES["demo"].fusion_batch_size)))
            return learn_and_ask(config, config.fusion.mode, caches[size], asked, epochs=epochs, seed=seed + member)

        return run

    jobs = [job(size, member) for size in sizes for member in range(members)]
    answers = np.stack(run_side_by_side(jobs, processes=processes)).reshape(len(sizes), members, test, -1)
    labels = unseen.cohort.labels
    return {size: _figures(own, labels, seed) for size, own in zip(sizes, answers, strict=True)}


def _first(split: Split, size: int, config: ModelConfig) -> TokenCache:
    encoded = {name: Encoded(own.tokens[:size], own.pooled[:size]) for name, own in split.encoded.items()}
    return TokenCache.of([encoded], split.cohort.take(np.arange(size)), config, soft=True)


def _figures(members: Array, labels: NDArray[np.int64], seed: int) -> dict[str, float]:
    doubt = epistemic(members)
    rest = [decompose(members[:, case]).aleatoric for case in range(len(labels))]
    found = summarise({"epistemic": doubt}, np.arange(len(labels)).astype(str), seed=seed)
    return {
        "macro_auroc": float(macro_auroc(members.mean(0), labels, np.ones((1, len(labels))))[0]),
        "epistemic": found["epistemic"],
        **found["intervals"]["epistemic"],
        "aleatoric": float(np.mean(rest)),
    }


def main(
    bundle: Annotated[Path, typer.Option(help="Whose encoders are used.")] = DEMO_BUNDLE,
    test: Annotated[int, typer.Option(min=64, help="Cases to ask about.")] = 2000,
    members: Annotated[int, typer.Option(min=2, help="Of each ensemble.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="Of each member.")] = 400,
    processes: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Train the fusion on more and more cases and print how good and how doubtful it is."""
    found = learning_curve(bundle, test=test, members=members, steps=steps, processes=processes)
    typer.echo(f"{'cases':>8}{'macro AUROC':>14}{'epistemic, nats':>30}{'aleatoric':>12}")
    for size, own in found.items():
        shown = f"{own['epistemic']:.4f} [{own['low']:.4f}, {own['high']:.4f}]"
        typer.echo(f"{size:8}{own['macro_auroc']:14.4f}{shown:>30}{own['aleatoric']:12.4f}")


if __name__ == "__main__":
    typer.run(main)
