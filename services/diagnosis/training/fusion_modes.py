"""Early, late or hybrid fusion, all else alike: `python -m services.diagnosis.training.fusion_modes`.

The same encoders, cases, targets, passes and seeds; only `FusionConfig.mode` differs. Asked about cases of the training
ward that no part of the bundle has seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor

from services.diagnosis.bundle.contents import read_bundle
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.evaluation.metrics.bootstrap import Bootstrapped, Resamples, bootstrap, difference, estimate_of
from services.diagnosis.evaluation.metrics.discrimination import accuracy, macro_auroc
from services.diagnosis.inference.engine import Engine
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.fusion import MODES, FusionMember
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import stack
from services.diagnosis.training.align_bundle import encode_stretch
from services.diagnosis.training.fuse import TokenCache, train_member
from services.diagnosis.training.jobs import Advance, Job, run_side_by_side
from services.diagnosis.training.recipe import RECIPES

UNSEEN_FROM = 500_000
"""Index in the training ward of the first case that is asked about; the splits come before, notes alone after."""


def compare_modes(
    directory: Path, *, train: int, test: int, members: int, epochs: int, seed: int = 1, processes: int = 2
) -> dict[str, dict[str, Any]]:
    """Mode -> `macro_auroc`, `accuracy` and `hybrid_minus` (paired macro AUROC), each `{value, low, high}`.

    Args: train, test: cases to learn from and to ask about; members, epochs: of the ensemble of each mode.
    Raises: BundleMissing, BundleTampered, BundleUnreadable; as `training.loop.optimise`.
    """
    torch.set_num_threads(1)
    _, contents = read_bundle(directory)
    config = contents.config
    network = Engine.build(contents).network
    known = encode_stretch(contents, network, 0, train, processes)
    unseen = encode_stretch(contents, network, UNSEEN_FROM, test, processes)
    cache = TokenCache.of([known.encoded], known.cohort, config, soft=True)
    asked = stack(unseen.encoded, test, config)

    def job(mode: str, member: int) -> Job:
        def run(_: Advance) -> NDArray[np.float64]:
            return learn_and_ask(config, mode, cache, asked, epochs=epochs, seed=seed + member)

        return run

    jobs = [job(mode, member) for mode in MODES for member in range(members)]
    answers = np.stack(run_side_by_side(jobs, processes=processes)).reshape(len(MODES), members, test, -1).mean(1)
    return _compare(dict(zip(MODES, answers, strict=True)), unseen.cohort.labels, seed)


def learn_and_ask(
    config: ModelConfig, mode: str, cache: TokenCache, asked: tuple[Tensor, Tensor], *, epochs: int, seed: int
) -> NDArray[np.float64]:
    """What a member of its own, taught from the cache, says of other cases with all modalities: [n, classes].

    Args: asked: their tokens and pooled vectors, as `stack` gives them.
    """
    torch.manual_seed(seed)
    fusion = replace(config.fusion, mode=mode)
    member = FusionMember(
        fusion, dim=config.dim, tokens=config.tokens, modalities=len(MODALITIES), logits=config.logits
    )
    batch, rate = min(RECIPES["demo"].fusion_batch_size, len(cache)), RECIPES["demo"].fusion_learning_rate
    train_member(member, cache, epochs=epochs, batch_size=batch, learning_rate=rate, seed=seed)
    available = torch.ones(len(asked[0]), len(MODALITIES), dtype=torch.bool)
    with torch.no_grad():
        logits = member.eval()(*asked, available).logits
    probabilities: NDArray[np.float64] = logits[:, : len(config.labels)].double().softmax(-1).numpy()
    return probabilities


def _compare(
    answers: Mapping[str, NDArray[np.float64]], labels: NDArray[np.int64], seed: int
) -> dict[str, dict[str, Any]]:
    resamples, rows = Resamples.draw(np.arange(len(labels)).astype(str), seed=seed), np.arange(len(labels))

    def figures(probabilities: NDArray[np.float64]) -> Bootstrapped:
        return bootstrap(
            lambda weights: {
                "macro_auroc": macro_auroc(probabilities, labels, weights),
                "accuracy": accuracy(probabilities, labels, weights),
            },
            resamples,
            rows,
        )

    judged = {mode: figures(probabilities) for mode, probabilities in answers.items()}
    return {
        mode: {
            "macro_auroc": estimate_of(own, "macro_auroc"),
            "accuracy": estimate_of(own, "accuracy"),
            "hybrid_minus": estimate_of(difference(judged["hybrid"], own, "macro_auroc"), "macro_auroc"),
        }
        for mode, own in judged.items()
    }


def main(
    bundle: Annotated[Path, typer.Option(help="Whose encoders are used.")] = DEMO_BUNDLE,
    train: Annotated[int, typer.Option(min=192, help="Cases to learn from.")] = 8000,
    test: Annotated[int, typer.Option(min=64, help="Cases to ask about.")] = 4000,
    members: Annotated[int, typer.Option(min=1, help="Of each ensemble.")] = 5,
    epochs: Annotated[int, typer.Option(min=1)] = RECIPES["demo"].fusion_epochs,
    processes: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Train the three fusions on the same encodings and print what each reaches."""
    found = compare_modes(bundle, train=train, test=test, members=members, epochs=epochs, processes=processes)
    typer.echo(f"{'':8}{'macro AUROC':>24}{'accuracy':>24}{'hybrid minus it':>28}")
    for mode, figures in found.items():
        shown = (_shown(figures[name]) for name in ("macro_auroc", "accuracy", "hybrid_minus"))
        typer.echo(f"{mode:8}" + "".join(f"{text:>26}" for text in shown))


def _shown(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.4f} [{estimate['low']:.4f}, {estimate['high']:.4f}]"


if __name__ == "__main__":
    typer.run(main)
