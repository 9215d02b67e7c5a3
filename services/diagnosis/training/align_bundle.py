"""Give a trained bundle a joint space, or a new one: `python -m services.diagnosis.training.align_bundle DIRECTORY`.

The cases are those that the bundle itself was trained on, drawn again from its training record. Encoders, fusion and
decisions stay as they are, byte for byte; the manifest gets the new files, so the bundle has another digest.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from tokenizers import Tokenizer

from services.diagnosis.bundle.contents import BundleContents, read_bundle
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.keys import local_key, read_private_key
from services.diagnosis.bundle.manifest import write_manifest
from services.diagnosis.bundle.verification import sign_bundle
from services.diagnosis.inference.engine import Engine
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.training.align import Alignment, Split, fit_joint
from services.diagnosis.training.cohort import draw_cohort
from services.diagnosis.training.recipe import Recipe
from services.diagnosis.training.stages import Feeds, Vocabulary, encode_split
from services.diagnosis.ward.tables import WARD


def align_bundle(
    directory: Path, *, cases: int, films: int, references: int, plan: Alignment, processes: int = 2
) -> BundleIdentity:
    """Align on the first `cases` training cases, orient by the first `films` calibration cases, write both files.

    Raises: BundleMissing, BundleTampered, BundleUnreadable.
    """
    torch.set_num_threads(1)
    identity, contents = read_bundle(directory)
    network = Engine.build(contents).network
    first_held_out = contents.training["data"]["train"]["cases"]
    train = encode_stretch(contents, network, 0, min(cases, first_held_out), processes)
    held_out = encode_stretch(contents, network, first_held_out, films, processes)
    tokenizer, seed = Tokenizer.from_str(contents.tokenizer), contents.training["seed"]
    joint = fit_joint(network, tokenizer, train, held_out, references=references, seed=seed + 300, plan=plan)
    joint.save(directory)
    write_manifest(directory, name=identity.name, version=identity.version)
    return sign_bundle(directory, read_private_key(local_key()))


def encode_stretch(
    contents: BundleContents, network: ConsiliumNetwork, start: int, count: int, processes: int
) -> Split:
    """Cases `start` to `start + count - 1` of the ward that the bundle was trained on, as its encoders see them."""
    ward, side = contents.training["wardSeed"], contents.config.image.side
    cohort = draw_cohort(ward, start, count, side=side, processes=processes)
    catalogue = {
        name: {finding.name: finding.values for finding in WARD.findings if finding.modality == name}
        for name in MODALITIES
    }
    tokenizer = Tokenizer.from_str(contents.tokenizer)
    vocabulary = Vocabulary(tokenizer, contents.scale, contents.facts_scale, catalogue)
    feeds = Feeds.of(cohort, vocabulary, replace(Recipe(), model=contents.config))
    return Split(cohort, feeds, encode_split(network, feeds, count))


def main(
    directory: Annotated[Path, typer.Argument(help="The bundle's directory; it is changed in place.")],
    cases: Annotated[int, typer.Option(min=64, help="Training cases.")] = 3000,
    films: Annotated[int, typer.Option(min=64, help="Calibration films that similarities are oriented by.")] = 100,
    references: Annotated[int, typer.Option(min=8, help="Reference cases to search.")] = 240,
    epochs: Annotated[int, typer.Option(min=1)] = Alignment.epochs,
    processes: Annotated[int, typer.Option(min=1, help="Processes that draw cases; the result is the same.")] = 2,
) -> None:
    """Give a trained bundle a joint space."""
    plan = Alignment(epochs=epochs)
    identity = align_bundle(directory, cases=cases, films=films, references=references, plan=plan, processes=processes)
    typer.echo(f"{identity.name} {identity.version} {identity.digest}")


if __name__ == "__main__":
    typer.run(main)
