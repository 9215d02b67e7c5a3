"""The recipe `research-cxr` from folder to bundle: real radiographs with whatever is known of each.

The data forbids commercial use, so the bundle is made by whoever holds the data and never shipped. It differs from the
demo in what real data is: labels instead of beliefs, cases that lack modalities, a few hundred of them, and a text
encoder that somebody else has trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from services.diagnosis.bundle.contents import BundleContents, check_room, write_bundle
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.keys import local_key, read_private_key
from services.diagnosis.datasets.base import LeakageReport, Task
from services.diagnosis.datasets.cxr_cohort import TASKS, CxrCohort
from services.diagnosis.datasets.cxr_paediatric import CxrPaediatric
from services.diagnosis.inference.verdicts import critical_of
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import ConsiliumNetwork, parameter_count
from services.diagnosis.model.note_encoder import NoteEncoder
from services.diagnosis.model.preprocessing.tabular import TabularScale
from services.diagnosis.model.preprocessing.vitals import VitalsScale
from services.diagnosis.model.preprocessing.word_order import WordOrder
from services.diagnosis.model.text_files import load_pretrained
from services.diagnosis.training.assemble import Stopwatch, Trained, data_record, training_record
from services.diagnosis.training.attributes import PartOrigin
from services.diagnosis.training.card import card_of, false_rejections
from services.diagnosis.training.checks import require_every_class
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.costs import expected_costs
from services.diagnosis.training.decisions import calibrated, fit_decisions
from services.diagnosis.training.encoder_licence import encoder_licence
from services.diagnosis.training.familiarity import fit_references
from services.diagnosis.training.learn import SPLITS, Learned, learn
from services.diagnosis.training.loop import Session
from services.diagnosis.training.progress import Reporter
from services.diagnosis.training.recipe import RESEARCH_CXR, Recipe
from services.diagnosis.training.research_cases import read_splits
from services.diagnosis.training.research_external import ask_children
from services.diagnosis.training.research_metrics import measure
from services.diagnosis.training.research_words import licence_text, parts_of, research_answers, texts
from services.diagnosis.training.stages import Feeds, Vocabulary, ask_every_pattern, gather_sources
from services.diagnosis.training.text_start import adopt_files
from services.diagnosis.training.vocabulary import tokenizer_of

CAUSE: Task = next(task for task in TASKS if task.name == "cause")
ROUNDS = 4
"""Looks at each case for the statistics of strangers: a hundred inputs are needed to reject one in a hundred."""


@dataclass(frozen=True)
class Research:
    """A trained network with its decisions, and what they were made from."""

    trained: Trained
    learned: Learned
    cohorts: Mapping[str, Cohort]
    feeds: Mapping[str, Feeds]
    parts: tuple[PartOrigin, ...]


def train_research(
    out: Path,
    path: Path,
    *,
    paediatric: Path | None = None,
    seed: int = 1,
    recipe: Recipe = RESEARCH_CXR,
    processes: int = 2,
    quiet: bool = False,
    session: Session = Session(),
    key: EllipticCurvePrivateKey | None = None,
) -> BundleIdentity:
    """Train, calibrate, evaluate and write a bundle.

    Args:
        path: of the chest X-ray cohort.
        paediatric: of the children's radiographs, which are asked about and never learned from.
        key: signs the bundle; default: this user's own.
    Raises: DatasetError; AppError: what stopped it, by name, `EncoderFilesMissing` among them.
    """
    torch.set_num_threads(1)
    check_room(out)
    key, clock = key or read_private_key(local_key()), Stopwatch()
    recipe = adopt_files(recipe)
    dataset = CxrCohort(path)
    report = dataset.check()
    cohorts, licences = read_splits(dataset, CAUSE, recipe.model)
    train, calibration, test = (len(cohorts[split]) for split in SPLITS)
    recipe = replace(recipe, train=train, calibration=calibration, test=test)
    with Reporter(quiet=quiet, costs=expected_costs(recipe)) as reporter:
        research = fit(cohorts, recipe, seed, reporter, processes, session)
        with reporter.stage("evaluation", 1):
            contents = _describe(research, licences, report, paediatric, seed)
    identity = write_bundle(out, contents, name=recipe.bundle, version=recipe.version, key=key)
    if not quiet:
        print(f"{identity.name} {identity.version} {identity.digest}: {clock}")
    return identity


def fit(
    cohorts: Mapping[str, Cohort],
    recipe: Recipe,
    seed: int,
    reporter: Reporter,
    processes: int,
    session: Session = Session(),
) -> Research:
    """Everything that is learned: the network from the split `train`, the decisions from `calibration`.

    Raises: EmptyClass, EmptyModality, EncoderFilesMissing; as `training.loop.optimise`.
    """
    train, held_out = cohorts["train"], cohorts["calibration"]
    for split in ("train", "calibration"):
        require_every_class(cohorts[split].labels, [coding.display for coding in recipe.model.labels], split)
    vocabulary = learn_vocabulary(train, recipe)
    feeds = {name: Feeds.of(cohort, vocabulary, recipe) for name, cohort in cohorts.items()}
    sources = gather_sources(train, feeds["train"], Cohort(()), vocabulary, recipe)
    torch.manual_seed(seed)
    network = ConsiliumNetwork(recipe.model).eval()
    encoder = cast(NoteEncoder, network.encoder("note"))
    digest = load_pretrained(encoder, recipe.model.note)
    # A hundred notes would teach twenty million weights nothing but these notes: what gathers its pieces learns. What
    # is added to its words stays at zero, since learning that alone would take back-propagation through all of it.
    for part in (encoder.transformer, encoder.contexts, encoder.sections, encoder.ages):
        part.requires_grad_(False)
    learned = learn(network, cohorts, feeds, sources, vocabulary, recipe, seed, reporter, processes, session)
    with reporter.stage("calibration", 1):
        decisions = fit_decisions(
            ask_every_pattern(network, learned.encoded["calibration"], len(held_out)),
            recipe.model.tasks,
            held_out.targets(recipe.model.tasks[:1]),
            None,
            coverage=recipe.coverage,
            largest_set=recipe.largest_set,
            available=held_out.available(),
            critical=critical_of(recipe.model.labels),
        )
        notes = [feeds["train"].note.windows[row] for row in feeds["train"].holding("note")]
        order = WordOrder.fit(notes, vocabulary=recipe.model.note.vocab_size)
        known, judged = (train, feeds["train"]), (held_out, feeds["calibration"])
        ood = fit_references(network, vocabulary, order, known, judged, seed=seed + 50, rounds=ROUNDS)
    trained = Trained(
        network, vocabulary, recipe, train, feeds["train"], learned.encoded["train"], decisions, ood, order
    )
    source = str(recipe.model.note.pretrained)
    return Research(trained, learned, cohorts, feeds, parts_of(source, encoder_licence(source), digest))


def learn_vocabulary(train: Cohort, recipe: Recipe) -> Vocabulary:
    """The encoder's own word pieces, and the scales of what was measured; nobody names findings here."""
    return Vocabulary(
        tokenizer_of(recipe.model.note, [record.text for record in train.records]),
        VitalsScale.fit([record.readings for record in train.records]),
        TabularScale.fit([record.facts for record in train.records]),
        {name: {} for name in MODALITIES},
    )


def answers_on(research: Research, split: str) -> dict[str, Any]:
    """Pattern -> calibrated member probabilities of the diagnoses [members, n, classes], whatever the cases hold."""
    trained, encoded = research.trained, research.learned.encoded[split]
    asked = ask_every_pattern(trained.network, encoded, len(research.cohorts[split]))
    members, classes = calibrated(trained.decisions.calibrator, asked), len(trained.recipe.model.labels)
    return {pattern: value[..., :classes] for pattern, value in members.items()}


def _describe(
    research: Research, licences: Mapping[str, int], report: LeakageReport, paediatric: Path | None, seed: int
) -> BundleContents:
    """Figures on the test split, record, card and licence."""
    trained, test = research.trained, research.cohorts["test"]
    metrics = measure(answers_on(research, "test"), test, trained.decisions.conformal, seed=seed)
    metrics["oodFalseRejection"] = _false_rejections(research, seed)
    if paediatric is not None:
        metrics["external"] = {CxrPaediatric.name: ask_children(trained, CxrPaediatric(paediatric), seed=seed)}
    source, by_licence = "chest X-ray cohort, split of the patients' pseudonyms", "each image its own"
    data = {name: data_record(cohort, source=source, licence=by_licence) for name, cohort in research.cohorts.items()}
    record = training_record(trained.recipe, seed, data, research.parts, research.learned.history)
    record |= {"licences": dict(licences), "check": report.lines()}
    card = card_of(
        trained.recipe,
        record,
        metrics,
        parameter_count(trained.network),
        texts=texts(licences),
        attributes=research_answers(record, metrics),
    )
    return trained.contents(record, card, licence=licence_text(licences, research.parts))


def _false_rejections(research: Research, seed: int) -> dict[str, Any]:
    """Modality -> share of the test cases that hold it which are set aside as strange; none where nobody holds it."""
    trained, test, feeds = research.trained, research.cohorts["test"], research.feeds["test"]
    return {
        name: false_rejections(
            name, trained.ood[name], trained.network, test, feeds, trained.vocabulary, trained.order, seed
        )
        for name in MODALITIES
        if len(feeds.holding(name))
    }
