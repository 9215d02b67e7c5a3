"""A recipe from seed to bundle: synthetic ward in, calibrated and described bundle out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from services.diagnosis.bundle.contents import BundleContents, check_room, write_bundle
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.joint import JointContents
from services.diagnosis.bundle.keys import local_key, read_private_key
from services.diagnosis.datasets.ward import LICENCE as WARD_LICENCE
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import ConsiliumNetwork, parameter_count
from services.diagnosis.model.preprocessing.tabular import TabularScale
from services.diagnosis.model.preprocessing.vitals import VitalsScale
from services.diagnosis.model.preprocessing.word_order import WordOrder
from services.diagnosis.training.align import Alignment, Split, fit_joint
from services.diagnosis.training.assemble import Stopwatch, Trained, data_record, training_record
from services.diagnosis.training.attributes import PARTS_OF_THE_DEMO, PartOrigin
from services.diagnosis.training.card import evaluate, model_card
from services.diagnosis.training.checks import require_every_class
from services.diagnosis.training.cohort import Cohort, draw_cohort, draw_partial
from services.diagnosis.training.costs import expected_costs
from services.diagnosis.training.decisions import calibrated, fit_decisions
from services.diagnosis.training.familiarity import fit_references
from services.diagnosis.training.learn import SPLITS, Learned, learn
from services.diagnosis.training.loop import Session
from services.diagnosis.training.pretrain import count_batches
from services.diagnosis.training.progress import Reporter
from services.diagnosis.training.recipe import NOTES_ALONE_FROM, RECIPES, WARD_SEED_OFFSET, Recipe
from services.diagnosis.training.stages import (
    Feeds,
    Vocabulary,
    ask_every_pattern,
    gather_sources,
    train_baselines,
)
from services.diagnosis.training.text_start import adopt_files, begin_from_files
from services.diagnosis.training.vocabulary import tokenizer_of
from shared.codes import DIAGNOSES

NOTES_ALONE = "notes alone"


def train_demo(
    out: Path,
    *,
    seed: int,
    recipe: Recipe = RECIPES["demo"],
    processes: int = 2,
    quiet: bool = False,
    session: Session = Session(),
    key: EllipticCurvePrivateKey | None = None,
) -> BundleIdentity:
    """Train, calibrate, evaluate and write a bundle. The same seed gives the same bundle, whatever the processes.

    Args: key: signs the bundle; default: this user's own.
    Raises: AppError: what stopped it, by name.
    """
    # Forked parts compute with one thread each; a parent with a thread pool of its own could not be forked.
    torch.set_num_threads(1)
    # What would stop the writing is said before the hours of training, not after.
    check_room(out)
    key = key or read_private_key(local_key())
    recipe = adopt_files(recipe)
    clock = Stopwatch()
    with Reporter(quiet=quiet, costs=expected_costs(recipe)) as reporter:
        cohorts = draw_splits(recipe, seed, processes, reporter)
        for split in ("train", "calibration"):
            require_every_class(cohorts[split].labels, [diagnosis.display for diagnosis in DIAGNOSES], split)
        vocabulary = learn_vocabulary(cohorts["train"], recipe)
        feeds: dict[str, Feeds] = {name: Feeds.of(cohorts[name], vocabulary, recipe) for name in SPLITS}
        sources = gather_sources(cohorts["train"], feeds["train"], cohorts[NOTES_ALONE], vocabulary, recipe)
        torch.manual_seed(seed)
        network = ConsiliumNetwork(recipe.model).eval()
        parts = (*PARTS_OF_THE_DEMO, *begin_from_files(network, recipe))
        learned = learn(network, cohorts, feeds, sources, vocabulary, recipe, seed, reporter, processes, session)
        encoded = learned.encoded
        labels = cohorts["train"].labels, cohorts["calibration"].labels
        baselines = train_baselines(learned.variants, encoded["calibration"], labels, recipe, seed, reporter, processes)
        joint = _align(network, recipe, seed, vocabulary, cohorts, feeds, encoded, reporter)
        with reporter.stage("calibration and evaluation", 1):
            contents = _decide(network, recipe, seed, vocabulary, cohorts, feeds, learned, parts, processes)
        contents = replace(contents, joint=joint)
    companions = [] if baselines is None else [baselines]
    identity = write_bundle(out, contents, name=recipe.bundle, version=recipe.version, companions=companions, key=key)
    if not quiet:
        print(f"{identity.name} {identity.version} {identity.digest}: {clock}")
    return identity


def draw_splits(recipe: Recipe, seed: int, processes: int, reporter: Reporter) -> dict[str, Cohort]:
    """Disjoint stretches of one ward: three splits of complete cases, and notes alone for training."""
    counts = {"train": recipe.train, "calibration": recipe.calibration, "test": recipe.test}
    cohorts, start = {}, 0
    ward, image = WARD_SEED_OFFSET + seed, recipe.model.image
    for name, count in counts.items():
        with reporter.stage(f"{name} cases", count) as advance:
            cohorts[name] = draw_cohort(
                ward, start, count, side=image.side, stride=image.stride, processes=processes, on_case=advance
            )
        start += count
    with reporter.stage(NOTES_ALONE, recipe.notes_alone) as advance:
        cohorts[NOTES_ALONE] = draw_partial(
            "note", ward, NOTES_ALONE_FROM, recipe.notes_alone,
            fragments=recipe.fragments, processes=processes, on_case=advance,
        )  # fmt: skip
    return cohorts


def learn_vocabulary(train: Cohort, recipe: Recipe) -> Vocabulary:
    """Word pieces, vitals scale and the ward's catalogue of findings."""
    from services.diagnosis.ward.tables import WARD

    tokenizer = tokenizer_of(recipe.model.note, [record.text for record in train.records])
    catalogue = {
        name: {finding.name: finding.values for finding in WARD.findings if finding.modality == name}
        for name in MODALITIES
    }
    return Vocabulary(
        tokenizer,
        VitalsScale.fit([record.readings for record in train.records]),
        TabularScale.fit([record.facts for record in train.records]),
        catalogue,
    )


def _align(
    network: ConsiliumNetwork,
    recipe: Recipe,
    seed: int,
    vocabulary: Vocabulary,
    cohorts: Mapping[str, Cohort],
    feeds: Mapping[str, Feeds],
    encoded: Mapping[str, Any],
    reporter: Reporter,
) -> JointContents | None:
    """The joint space over the finished encoders; None: the recipe has none."""
    if not recipe.align_epochs:
        return None
    plan = Alignment(epochs=recipe.align_epochs)
    train, held_out = (Split(cohorts[name], feeds[name], encoded[name]) for name in ("train", "calibration"))
    steps = plan.epochs * count_batches(len(cohorts["train"]), plan.batch_size)
    with reporter.stage("joint space", steps) as advance:
        return fit_joint(
            network,
            vocabulary.tokenizer,
            train,
            held_out,
            references=recipe.references,
            seed=seed + 300,
            plan=plan,
            on_step=advance,
        )


def _decide(
    network: ConsiliumNetwork,
    recipe: Recipe,
    seed: int,
    vocabulary: Vocabulary,
    cohorts: Mapping[str, Cohort],
    feeds: Mapping[str, Feeds],
    learned: Learned,
    origins: Sequence[PartOrigin],
    processes: int,
) -> BundleContents:
    """Everything after the weights: calibration, sets, intervals, thresholds, OOD, references, card."""
    held_out, encoded = cohorts["calibration"], learned.encoded
    parts = fit_decisions(
        ask_every_pattern(network, encoded["calibration"], len(held_out), processes=processes),
        recipe.model.tasks,
        held_out.targets(recipe.model.tasks),
        held_out.posteriors(),
        coverage=recipe.coverage,
        largest_set=recipe.largest_set,
    )
    order = WordOrder.fit(feeds["train"].note.windows, vocabulary=recipe.model.note.vocab_size)
    known, judged = (cohorts["train"], feeds["train"]), (held_out, feeds["calibration"])
    ood = fit_references(network, vocabulary, order, known, judged, seed=seed + 50, processes=processes)
    asked = ask_every_pattern(network, encoded["test"], len(cohorts["test"]), processes=processes)
    unseen = calibrated(parts.calibrator, asked)
    metrics = evaluate(
        unseen,
        cohorts["test"],
        parts.conformal,
        parts.intervals,
        network,
        ood,
        feeds["test"],
        vocabulary,
        order,
        seed=seed,
    )
    ward = WARD_SEED_OFFSET + seed
    data = {
        name: data_record(cohort, source=f"synthetic ward, seed {ward}", licence=WARD_LICENCE)
        for name, cohort in cohorts.items()
    }
    training = {**training_record(recipe, seed, data, origins, learned.history), "wardSeed": ward}
    trained = Trained(
        network, vocabulary, recipe, cohorts["train"], feeds["train"], encoded["train"], parts, ood, order
    )
    return trained.contents(training, model_card(recipe, training, metrics, parameter_count(network)))
