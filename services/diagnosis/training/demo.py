"""The demo recipe from seed to bundle: synthetic ward in, calibrated and described bundle out."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from numpy.typing import NDArray

from services.diagnosis.bundle.contents import BundleContents, check_room, write_bundle
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.bundle.keys import local_key, read_private_key
from services.diagnosis.datasets.ward import LICENCE as WARD_LICENCE
from services.diagnosis.inference.conformal import fit_conformal
from services.diagnosis.inference.thresholds import Thresholds
from services.diagnosis.inference.uncertainty import decompose, fit_intervals
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from services.diagnosis.model.network import ConsiliumNetwork, parameter_count
from services.diagnosis.model.preprocessing.tabular import TabularScale
from services.diagnosis.model.preprocessing.vitals import VitalsScale
from services.diagnosis.training.attributes import PARTS_OF_THE_DEMO
from services.diagnosis.training.calibrate import fit_calibrator
from services.diagnosis.training.card import evaluate, model_card
from services.diagnosis.training.cohort import Cohort, draw_cohort
from services.diagnosis.training.fuse import TokenCache
from services.diagnosis.training.pretrain import CLASSES
from services.diagnosis.training.progress import Reporter
from services.diagnosis.training.recipe import RECIPES, WARD_SEED_OFFSET, Recipe
from services.diagnosis.training.stages import (
    Feeds,
    Vocabulary,
    ask_every_pattern,
    calibrated,
    encode_splits,
    fit_references,
    image_baseline,
    pick_references,
    train_baselines,
    train_encoders,
    train_fusion,
)
from services.diagnosis.training.vocabulary import train_tokenizer

SPLITS = ("train", "calibration", "test")


def train_demo(
    out: Path,
    *,
    seed: int,
    recipe: Recipe = RECIPES["demo"],
    processes: int = 2,
    quiet: bool = False,
    key: EllipticCurvePrivateKey | None = None,
) -> BundleIdentity:
    """Train, calibrate, evaluate and write a bundle. The same seed gives the same bundle, whatever the processes.

    Args: key: signs the bundle; default: this user's own.
    """
    # Forked parts compute with one thread each; a parent with a thread pool of its own could not be forked.
    torch.set_num_threads(1)
    # What would stop the writing is said before the hours of training, not after.
    check_room(out)
    key = key or read_private_key(local_key())
    started, cpu_started = time.monotonic(), _cpu_seconds()
    with Reporter(quiet=quiet) as reporter:
        cohorts = draw_splits(recipe, seed, processes, reporter)
        vocabulary = learn_vocabulary(cohorts["train"], recipe)
        feeds = {name: Feeds.of(cohort, vocabulary, recipe) for name, cohort in cohorts.items()}
        torch.manual_seed(seed)
        network = ConsiliumNetwork(recipe.model).eval()
        history: dict[str, Any] = train_encoders(
            network, cohorts["train"], feeds["train"], vocabulary, recipe, seed, reporter, processes
        )
        plain = [(feeds[name], len(cohorts[name]), None) for name in SPLITS]
        varied = [(feeds["train"], len(cohorts["train"]), seed + 10 + i) for i in range(recipe.variants - 1)]
        tokens = encode_splits(network, [*plain, *varied], reporter, processes)
        encoded = dict(zip(SPLITS, tokens, strict=False))
        variants = [tokens[0], *tokens[len(SPLITS) :]]
        cache = TokenCache.of(variants, cohorts["train"], recipe.model)
        history["fusion"] = train_fusion(network, cache, recipe, seed, reporter, processes)
        labels = cohorts["train"].labels, cohorts["calibration"].labels
        baselines = train_baselines(variants, encoded["calibration"], labels, recipe, seed, reporter, processes)
        with reporter.stage("calibration and evaluation", 1):
            contents = _decide(network, recipe, seed, vocabulary, cohorts, feeds, encoded, history)
    companions = [] if baselines is None else [baselines]
    identity = write_bundle(out, contents, name=recipe.bundle, version=recipe.version, companions=companions, key=key)
    if not quiet:
        wall, cpu = (time.monotonic() - started) / 60, (_cpu_seconds() - cpu_started) / 60
        print(f"{identity.name} {identity.version} {identity.digest}: {wall:.1f} min, {cpu:.1f} CPU min")
    return identity


def draw_splits(recipe: Recipe, seed: int, processes: int, reporter: Reporter) -> dict[str, Cohort]:
    """Three disjoint stretches of one ward."""
    counts = {"train": recipe.train, "calibration": recipe.calibration, "test": recipe.test}
    cohorts, start = {}, 0
    for name, count in counts.items():
        with reporter.stage(f"{name} cases", count) as advance:
            ward, side = WARD_SEED_OFFSET + seed, recipe.model.image.side
            cohorts[name] = draw_cohort(ward, start, count, side=side, processes=processes, on_case=advance)
        start += count
    return cohorts


def learn_vocabulary(train: Cohort, recipe: Recipe) -> Vocabulary:
    """Word pieces, vitals scale and the ward's catalogue of findings."""
    from services.diagnosis.ward.tables import WARD

    tokenizer = train_tokenizer([record.text for record in train.records], size=recipe.model.note.vocab_size)
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


def _decide(
    network: ConsiliumNetwork,
    recipe: Recipe,
    seed: int,
    vocabulary: Vocabulary,
    cohorts: Mapping[str, Cohort],
    feeds: Mapping[str, Feeds],
    encoded: Mapping[str, Any],
    history: Mapping[str, Any],
) -> BundleContents:
    """Everything after the weights: calibration, sets, intervals, thresholds, OOD, references, card."""
    held_out = cohorts["calibration"]
    logits = ask_every_pattern(network, encoded["calibration"], len(held_out))
    calibrator = fit_calibrator(logits, torch.from_numpy(held_out.labels), torch.from_numpy(held_out.deterioration))
    members = calibrated(calibrator, logits)
    diagnoses = {pattern: value[..., :CLASSES] for pattern, value in members.items()}
    means = {pattern: value.mean(0) for pattern, value in diagnoses.items()}
    conformal = fit_conformal(means, held_out.labels, coverage=recipe.coverage)
    intervals = fit_intervals(diagnoses, held_out.posteriors(), coverage=0.9)
    ood = fit_references(
        network, vocabulary, (cohorts["train"], feeds["train"]), (held_out, feeds["calibration"]), seed=seed + 50
    )
    unseen = calibrated(calibrator, ask_every_pattern(network, encoded["test"], len(cohorts["test"])))
    metrics = evaluate(
        unseen, cohorts["test"], conformal, intervals, network, ood, feeds["test"], vocabulary, seed=seed
    )
    training = _training_record(recipe, seed, cohorts, history)
    return BundleContents(
        config=recipe.model,
        weights={key: value.detach().clone() for key, value in network.state_dict().items()},
        tokenizer=vocabulary.tokenizer.to_str(),
        scale=vocabulary.scale,
        facts_scale=vocabulary.facts_scale,
        calibrator=calibrator,
        conformal=conformal,
        intervals=intervals,
        thresholds=Thresholds(recipe.largest_set, {p: _epistemic_limit(diagnoses[p]) for p in PATTERNS}),
        prevalence=_prevalence(cohorts["train"]),
        ood=ood,
        image_baseline=image_baseline(network, feeds["train"], min(1000, len(cohorts["train"]))),
        reference=pick_references(encoded["train"], cohorts["train"], count=recipe.references),
        training=training,
        card=model_card(recipe, training, metrics, parameter_count(network)),
    )


def _epistemic_limit(members: NDArray[np.float64]) -> float:
    values = [decompose(members[:, row]).epistemic for row in range(members.shape[1])]
    return float(np.quantile(values, 0.995))


def _prevalence(train: Cohort) -> tuple[float, ...]:
    shares = (np.bincount(train.labels, minlength=CLASSES) + 1) / (len(train) + CLASSES)
    return (*(float(share) for share in shares), float(train.deterioration.mean()))


def _training_record(
    recipe: Recipe, seed: int, cohorts: Mapping[str, Cohort], history: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "recipe": {key: value for key, value in asdict(recipe).items() if key != "model"},
        "seed": seed,
        "wardSeed": WARD_SEED_OFFSET + seed,
        "data": {name: _data_record(cohort, WARD_SEED_OFFSET + seed) for name, cohort in cohorts.items()},
        "parts": [asdict(part) for part in PARTS_OF_THE_DEMO],
        "loss": history,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _data_record(cohort: Cohort, ward: int) -> dict[str, Any]:
    groups = {
        name: {str(value): int(count) for value, count in zip(*np.unique(values, return_counts=True), strict=True)}
        for name, values in cohort.groups().items()
    }
    return {
        "cases": len(cohort),
        "digest": cohort.digest(),
        "source": f"synthetic ward, seed {ward}",
        "licence": WARD_LICENCE,
        "groups": groups,
    }


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
