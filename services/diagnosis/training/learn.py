"""What every recipe does between its cases and its decisions: encoders, encodings, fusion, and the joint stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.diagnosis.datasets.base import Split
from services.diagnosis.model.encoder import Encoded
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.fuse import TokenCache
from services.diagnosis.training.loop import Session
from services.diagnosis.training.progress import Reporter
from services.diagnosis.training.recipe import Recipe
from services.diagnosis.training.stages import (
    Feeds,
    Source,
    Vocabulary,
    encode_splits,
    finetune,
    train_encoders,
    train_fusion,
)

SPLITS: tuple[Split, ...] = ("train", "calibration", "test")


@dataclass(frozen=True)
class Learned:
    """Encodings by the finished encoders."""

    encoded: Mapping[str, Mapping[str, Encoded]]
    """Split -> modality -> encodings of its cases as they are."""
    variants: list[dict[str, Encoded]]
    """Of the training cases: as they are, then varied."""
    history: Mapping[str, Any]
    """Stage -> loss per epoch."""


def learn(
    network: ConsiliumNetwork,
    cohorts: Mapping[str, Cohort],
    feeds: Mapping[str, Feeds],
    sources: Mapping[str, Source],
    vocabulary: Vocabulary,
    recipe: Recipe,
    seed: int,
    reporter: Reporter,
    processes: int,
    session: Session = Session(),
) -> Learned:
    """Train the network in place on the split `train`.

    Raises: as `training.loop.optimise`.
    """
    history: dict[str, Any] = train_encoders(network, sources, vocabulary, recipe, seed, reporter, processes, session)
    plain = [(feeds[name], len(cohorts[name]), None) for name in SPLITS]
    varied = [(feeds["train"], len(cohorts["train"]), seed + 10 + i) for i in range(recipe.variants - 1)]

    def encode() -> Learned:
        tokens = encode_splits(network, [*plain, *varied], reporter, processes)
        return Learned(dict(zip(SPLITS, tokens, strict=False)), [tokens[0], *tokens[len(SPLITS) :]], history)

    learned = encode()
    cache = TokenCache.of(learned.variants, cohorts["train"], recipe.model, soft=recipe.soft_targets)
    history["fusion"] = train_fusion(network, cache, recipe, seed, reporter, processes, session)
    if not recipe.joint_epochs:
        return learned
    history["joint"] = finetune(network, cohorts["train"], feeds["train"], recipe, seed, reporter, session)
    return encode()
