"""The stages of a run, each from values to values: encoders, tokens, members, decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from services.diagnosis.bundle.contents import ReferenceCases
from services.diagnosis.evaluation.baselines.features import Features
from services.diagnosis.evaluation.baselines.learned import Budget
from services.diagnosis.evaluation.baselines.suite import BaselineSuite, count_steps, fit_baselines
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded, Inputs
from services.diagnosis.model.fusion import FusionMember
from services.diagnosis.model.modalities import MODALITIES, PATTERNS, mask_of
from services.diagnosis.model.network import ConsiliumNetwork, stack
from services.diagnosis.model.preprocessing.tabular import TabularScale
from services.diagnosis.model.preprocessing.vitals import VitalsScale
from services.diagnosis.training.augment import augment_images, augment_notes, drop_facts, hide_views, thin_vitals
from services.diagnosis.training.batches import (
    ChosenBatches,
    FactBatches,
    ImageBatches,
    NoteBatches,
    VitalsBatches,
    tags_of,
)
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.errors import EmptyModality
from services.diagnosis.training.fuse import TokenCache, train_member
from services.diagnosis.training.jobs import Advance, Job, run_side_by_side
from services.diagnosis.training.joint_data import JointData
from services.diagnosis.training.joint_stage import JointPlan, finetune_jointly
from services.diagnosis.training.loop import Session
from services.diagnosis.training.pretrain import (
    Augment,
    FindingTargets,
    Pretraining,
    encode_all,
    pretrain,
)
from services.diagnosis.training.progress import Reporter
from services.diagnosis.training.recipe import Recipe

Array = NDArray[np.float64]
State = dict[str, NDArray[Any]]
ASKED_AT_ONCE = 250
"""Cases; what they need fits into a core's cache."""


@dataclass(frozen=True)
class Vocabulary:
    """What is learned from the training split before any network."""

    tokenizer: Tokenizer
    scale: VitalsScale
    facts_scale: TabularScale
    catalogue: Mapping[str, Mapping[str, tuple[str, ...]]]
    """Modality -> finding -> values."""


@dataclass(frozen=True)
class Feeds:
    """The batches of one split."""

    image: ImageBatches
    note: NoteBatches
    vitals: VitalsBatches
    tabular: FactBatches
    available: NDArray[np.bool_]
    """[n, modalities]: what each case holds."""

    @classmethod
    def of(cls, cohort: Cohort, vocabulary: Vocabulary, recipe: Recipe) -> Feeds:
        places = {name: tuple(findings) for name, findings in vocabulary.catalogue.items()}
        return cls(
            ImageBatches.of(cohort, places["image"]),
            NoteBatches.of(cohort, vocabulary.tokenizer, recipe.model, vocabulary.catalogue["note"]),
            VitalsBatches.of(cohort, vocabulary.scale, places["vitals"]),
            FactBatches.of(cohort, vocabulary.facts_scale),
            cohort.available(),
        )

    def holding(self, name: str) -> NDArray[np.int64]:
        """The cases that hold a modality."""
        return np.flatnonzero(self.available[:, MODALITIES.index(name)])

    def plain(self, name: str, rows: NDArray[np.int64]) -> Inputs:
        inputs: Inputs = getattr(self, name)(rows)
        return inputs


def vary_image(inputs: Inputs, rng: torch.Generator) -> Inputs:
    pixels = augment_images(inputs["pixels"][:, 0], rng)[:, None]
    return {**inputs, "pixels": pixels, "views": hide_views(inputs["views"], rng)}


def variations(config: ModelConfig) -> dict[str, Augment]:
    """Modality -> how its inputs are varied."""

    def vary_note(inputs: Inputs, rng: torch.Generator) -> Inputs:
        return augment_notes(inputs, config.note, rng)

    return {"image": vary_image, "note": vary_note, "vitals": thin_vitals, "tabular": drop_facts}


@dataclass(frozen=True)
class Source:
    """What one encoder learns from."""

    cohort: Cohort
    batches: Any


def gather_sources(
    train: Cohort, feeds: Feeds, notes_alone: Cohort, vocabulary: Vocabulary, recipe: Recipe
) -> dict[str, Source]:
    """Every encoder learns from the cases that hold its modality; that of the notes from notes alone besides.

    Raises: EmptyModality: no case holds one.
    """
    sources = {name: _source(train, feeds, name) for name in MODALITIES}
    if len(notes_alone):
        cohort = Cohort(train.records + notes_alone.records)
        batches = NoteBatches.of(notes_alone, vocabulary.tokenizer, recipe.model, vocabulary.catalogue["note"])
        sources["note"] = Source(cohort, feeds.note + batches)
    return sources


def _source(train: Cohort, feeds: Feeds, name: str) -> Source:
    rows, batches = feeds.holding(name), getattr(feeds, name)
    if not len(rows):
        raise EmptyModality(name, len(train))
    return Source(train, batches) if len(rows) == len(train) else Source(train.take(rows), ChosenBatches(batches, rows))


def train_encoders(
    network: ConsiliumNetwork,
    sources: Mapping[str, Source],
    vocabulary: Vocabulary,
    recipe: Recipe,
    seed: int,
    reporter: Reporter,
    processes: int,
    session: Session = Session(),
) -> dict[str, list[float]]:
    """Stage A for every modality, side by side. Returns: the loss per epoch of each."""
    plans = {name: _pretraining(name, source, vocabulary, recipe) for name, source in sources.items()}

    def job(index: int, name: str) -> Job:
        def run(advance: Advance) -> tuple[list[float], State]:
            encoder, train = network.encoder(name), sources[name].cohort
            findings = FindingTargets.of(train, vocabulary.catalogue[name])
            losses = pretrain(
                encoder, recipe.model, train, findings, plans[name], seed=seed + index, session=session, on_step=advance
            )
            return losses, state_of(encoder)

        return run

    steps = sum(plan.epochs * max(1, len(sources[name].cohort) // plan.batch_size) for name, plan in plans.items())
    jobs = [job(index, name) for index, name in enumerate(MODALITIES)]
    with reporter.stage("encoders", steps) as advance:
        answers = run_side_by_side(jobs, processes=processes, on_step=advance)
    for name, (_, state) in zip(MODALITIES, answers, strict=True):
        load_state(network.encoder(name), state)
    return {name: losses for name, (losses, _) in zip(MODALITIES, answers, strict=True)}


def _pretraining(name: str, source: Source, vocabulary: Vocabulary, recipe: Recipe) -> Pretraining:
    epochs = {
        "image": recipe.image_epochs,
        "note": recipe.note_epochs,
        "vitals": recipe.vitals_epochs,
        "tabular": recipe.tabular_epochs,
    }
    catalogue = vocabulary.catalogue
    places = {
        "image": len(catalogue["image"]),
        "note": 1 + len(tags_of(catalogue["note"])),
        "vitals": 1 + len(catalogue["vitals"]),
    }
    return Pretraining(
        name,
        epochs[name],
        recipe.vitals_batch_size if name == "vitals" else recipe.batch_size,
        recipe.learning_rate,
        source.batches,
        variations(recipe.model)[name],
        places.get(name, 0) if catalogue[name] else 0,
        recipe.soft_targets,
        recipe.model.tasks,
    )


def state_of(module: nn.Module) -> State:
    """A module's parameters and buffers as arrays, to hand from one process to another."""
    return {key: value.detach().numpy() for key, value in module.state_dict().items()}


def load_state(module: nn.Module, state: State) -> None:
    """The inverse of `state_of`."""
    module.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in state.items()})
    module.eval()


def encode_splits(
    network: ConsiliumNetwork, wanted: Sequence[tuple[Feeds, int, int | None]], reporter: Reporter, processes: int
) -> list[dict[str, Encoded]]:
    """`encode_split` of several (feeds, cases, seed), side by side."""

    def job(feeds: Feeds, n: int, seed: int | None) -> Job:
        def run(_: Advance) -> dict[str, tuple[Array, Array]]:
            encoded = encode_split(network, feeds, n, seed=seed)
            return {name: (e.tokens.numpy(), e.pooled.numpy()) for name, e in encoded.items()}

        return run

    with reporter.stage("tokens", len(wanted)):
        answers = run_side_by_side([job(*one) for one in wanted], processes=processes)
    return [
        {name: Encoded(torch.from_numpy(tokens), torch.from_numpy(pooled)) for name, (tokens, pooled) in answer.items()}
        for answer in answers
    ]


def encode_split(network: ConsiliumNetwork, feeds: Feeds, n: int, *, seed: int | None = None) -> dict[str, Encoded]:
    """All modalities of a split; varied by augmentation where a seed is given. Zeros stand where a case lacks one."""
    encoded = {}
    for name in MODALITIES:
        rng = torch.Generator().manual_seed(seed) if seed is not None else None

        def batches(rows: NDArray[np.int64], name: str = name, rng: torch.Generator | None = rng) -> Inputs:
            inputs = feeds.plain(name, rows)
            return inputs if rng is None else variations(network.config)[name](inputs, rng)

        rows = feeds.holding(name)
        if len(rows) == n:
            encoded[name] = encode_all(network.encoder(name), batches, n)
        else:
            encoded[name] = _encode_some(network, name, ChosenBatches(batches, rows), rows, n)
    return encoded


def _encode_some(
    network: ConsiliumNetwork, name: str, batches: ChosenBatches, rows: NDArray[np.int64], n: int
) -> Encoded:
    """The cases `rows` of n, zeros for the others."""
    config = network.config
    tokens, pooled = torch.zeros(n, config.tokens, config.dim), torch.zeros(n, config.dim)
    if len(rows):
        own = encode_all(network.encoder(name), batches, len(rows))
        tokens[rows], pooled[rows] = own.tokens, own.pooled
    return Encoded(tokens, pooled)


def train_fusion(
    network: ConsiliumNetwork,
    cache: TokenCache,
    recipe: Recipe,
    seed: int,
    reporter: Reporter,
    processes: int,
    session: Session = Session(),
) -> list[list[float]]:
    """Stage B: every member from its own seed and bootstrap sample, side by side."""

    def job(index: int, member: FusionMember) -> Job:
        def run(advance: Advance) -> tuple[list[float], State]:
            losses = train_member(
                member,
                cache,
                epochs=recipe.fusion_epochs,
                batch_size=recipe.fusion_batch_size,
                learning_rate=recipe.fusion_learning_rate,
                seed=seed + 100 + index,
                name=f"fusion-{index}",
                session=session,
                on_step=advance,
            )
            return losses, state_of(member)

        return run

    members = network.members()
    steps = len(members) * recipe.fusion_epochs * max(1, len(cache) // recipe.fusion_batch_size)
    jobs = [job(index, member) for index, member in enumerate(members)]
    with reporter.stage("fusion ensemble", steps) as advance:
        answers = run_side_by_side(jobs, processes=processes, on_step=advance)
    for member, (_, state) in zip(members, answers, strict=True):
        load_state(member, state)
    return [losses for losses, _ in answers]


def finetune(
    network: ConsiliumNetwork,
    train: Cohort,
    feeds: Feeds,
    recipe: Recipe,
    seed: int,
    reporter: Reporter,
    session: Session = Session(),
) -> list[float]:
    """The joint stage: encoders and fusion together, in a process of its own. Returns: the loss per epoch."""
    tasks = recipe.model.tasks
    targets = {name: torch.from_numpy(target) for name, target in train.targets(tasks).items()}
    data = JointData.complete({name: getattr(feeds, name) for name in MODALITIES}, targets, variations(recipe.model))
    plan = JointPlan(recipe.joint_epochs, recipe.batch_size)

    def run(advance: Advance) -> tuple[list[float], State]:
        losses = finetune_jointly(network, data, plan, session, seed=seed + 90, tasks=tasks, on_step=advance)
        return losses, state_of(network)

    with reporter.stage("joint finetuning", recipe.joint_epochs * plan.plan().steps_per_epoch(len(train))) as advance:
        ((losses, state),) = run_side_by_side([run], processes=1, on_step=advance)
    load_state(network, state)
    return [float(loss) for loss in losses]


def train_baselines(
    variants: Sequence[Mapping[str, Encoded]],
    held_out: Mapping[str, Encoded],
    labels: tuple[NDArray[np.int64], NDArray[np.int64]],
    recipe: Recipe,
    seed: int,
    reporter: Reporter,
    processes: int,
) -> BaselineSuite | None:
    """What the fusion is compared with, fitted to the very encodings that it learns from; None: the recipe has none.

    Args:
        labels: of the training and of the calibration cases.
    """
    if not recipe.baseline_epochs:
        return None
    train = Features.join([as_features(variant, len(labels[0]), recipe) for variant in variants])
    budget = Budget(epochs=recipe.baseline_epochs, members=recipe.model.fusion.members)
    with reporter.stage("baselines", count_steps(budget, len(MODALITIES))) as advance:
        return fit_baselines(
            train,
            np.tile(labels[0], len(variants)),
            as_features(held_out, len(labels[1]), recipe),
            labels[1],
            classes=len(recipe.model.labels),
            seed=seed + 200,
            budget=budget,
            processes=processes,
            on_step=advance,
        )


def as_features(encoded: Mapping[str, Encoded], n: int, recipe: Recipe) -> Features:
    """Encodings as the baselines take them."""
    tokens, pooled = stack(encoded, n, recipe.model)
    available = np.tile([name in encoded for name in MODALITIES], (n, 1))
    return Features(pooled.numpy(), tokens.numpy(), available)


def ask_every_pattern(
    network: ConsiliumNetwork, encoded: Mapping[str, Encoded], n: int, *, processes: int = 1
) -> dict[str, Tensor]:
    """Pattern -> member logits [members, n, logits]."""
    tokens, pooled = stack(encoded, n, network.config)

    def chunks(values: Tensor) -> list[Tensor]:
        return [values[start : start + ASKED_AT_ONCE] for start in range(0, n, ASKED_AT_ONCE)]

    def job(pattern: str) -> Job:
        def run(_: Advance) -> Array:
            available = torch.tensor(mask_of(pattern))
            with torch.no_grad():
                parts = [
                    network.fusion(own, pooled_own, available.expand(len(own), -1))
                    for own, pooled_own in zip(chunks(tokens), chunks(pooled), strict=True)
                ]
            logits: Array = torch.cat(parts, dim=1).numpy()
            return logits

        return run

    answers = run_side_by_side([job(pattern) for pattern in PATTERNS], processes=processes)
    return {pattern: torch.from_numpy(answer) for pattern, answer in zip(PATTERNS, answers, strict=True)}


def pick_references(encoded: Mapping[str, Encoded], cohort: Cohort, *, count: int) -> ReferenceCases:
    """Unit vectors of about `count` training cases, the diagnoses evenly among them."""
    labels = cohort.labels
    classes = np.unique(labels)
    rows = np.concatenate([np.flatnonzero(labels == k)[: max(1, count // len(classes))] for k in classes])
    vectors = np.stack([encoded[name].pooled.numpy()[rows] for name in MODALITIES], axis=1)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors /= np.where(lengths > 0, lengths, 1)  # a modality that a case lacks stays zero and is like nothing
    return ReferenceCases(vectors.astype(np.float32), labels[rows], tuple(cohort.records[i].name for i in rows))


def image_baseline(network: ConsiliumNetwork, feeds: Feeds, n: int) -> NDArray[np.float32]:
    """[cells, dim]: the mean feature grid, places included."""
    with torch.no_grad():
        sums = [
            network.encoder("image")
            .positions(feeds.image(np.arange(start, min(n, start + 50))))
            .features.double()
            .sum(0)
            for start in range(0, n, 50)
        ]
    return (torch.stack(sums).sum(0) / n).float().numpy()
