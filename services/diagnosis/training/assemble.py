"""From trained parts to the contents of a bundle, and the records of what it was trained on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from services.diagnosis.bundle.contents import BundleContents
from services.diagnosis.inference.ood import OodReference
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.encoder import Encoded
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.model.preprocessing.word_order import WordOrder
from services.diagnosis.training.attributes import PartOrigin
from services.diagnosis.training.cohort import Cohort
from services.diagnosis.training.decisions import Decisions
from services.diagnosis.training.recipe import Recipe
from services.diagnosis.training.stages import Feeds, Vocabulary, image_baseline, pick_references
from services.diagnosis.training.task_losses import UNKNOWN
from shared.codes import SEVERITIES

BASELINE_CASES = 1000


@dataclass(frozen=True)
class Trained:
    """Everything that a bundle is put together from."""

    network: ConsiliumNetwork
    vocabulary: Vocabulary
    recipe: Recipe
    train: Cohort
    feeds: Feeds
    """Of the training cases."""
    encoded: Mapping[str, Encoded]
    decisions: Decisions
    ood: Mapping[str, OodReference]
    order: WordOrder

    def contents(
        self, training: Mapping[str, Any], card: Mapping[str, Any], *, licence: str | None = None
    ) -> BundleContents:
        """The bundle without a joint space."""
        parts = self.decisions
        return BundleContents(
            config=self.recipe.model,
            weights={key: value.detach().clone() for key, value in self.network.state_dict().items()},
            tokenizer=self.vocabulary.tokenizer.to_str(),
            scale=self.vocabulary.scale,
            facts_scale=self.vocabulary.facts_scale,
            calibrator=parts.calibrator,
            conformal=parts.conformal,
            intervals=parts.intervals,
            thresholds=parts.thresholds,
            verdicts=parts.verdicts,
            drops=parts.drops,
            venn_abers=parts.venn_abers,
            prevalence=prevalence(self.train, self.recipe.model),
            ood=self.ood,
            word_order=self.order,
            image_baseline=image_baseline(self.network, self.feeds, min(BASELINE_CASES, len(self.train))),
            reference=pick_references(self.encoded, self.train, count=self.recipe.references),
            training=training,
            card=card,
            licence=licence,
        )


def prevalence(train: Cohort, config: ModelConfig) -> tuple[float, ...]:
    """Of each logit's event, one more case of each diagnosis counted."""
    classes = len(config.labels)
    shares = (np.bincount(train.labels, minlength=classes) + 1) / (len(train) + classes)
    worse = (float(train.deterioration.mean()),) if config.deterioration else ()
    known = train.severity[train.severity != UNKNOWN]
    levels = range(1, len(SEVERITIES)) if config.severity else ()
    beyond = (float(((known >= level).sum() + 1) / (len(known) + 2)) for level in levels)
    return (*(float(share) for share in shares), *worse, *beyond)


def training_record(
    recipe: Recipe, seed: int, data: Mapping[str, Any], parts: Sequence[PartOrigin], history: Mapping[str, Any]
) -> dict[str, Any]:
    """What a bundle remembers of its making. `data`: split -> `data_record`."""
    return {
        "recipe": {key: value for key, value in asdict(recipe).items() if key != "model"},
        "seed": seed,
        "data": dict(data),
        "parts": [asdict(part) for part in parts],
        "loss": dict(history),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def data_record(cohort: Cohort, *, source: str, licence: str) -> dict[str, Any]:
    """Count, digest, origin and groups of one split."""
    groups = {
        name: {str(value): int(count) for value, count in zip(*np.unique(values, return_counts=True), strict=True)}
        for name, values in cohort.groups().items()
    }
    return {"cases": len(cohort), "digest": cohort.digest(), "source": source, "licence": licence, "groups": groups}


@dataclass(frozen=True)
class Stopwatch:
    """Minutes since it was made: on the wall, and of all processors."""

    started: float = field(default_factory=time.monotonic)
    cpu_started: float = field(default_factory=lambda: cpu_seconds())

    def __str__(self) -> str:
        wall, cpu = (time.monotonic() - self.started) / 60, (cpu_seconds() - self.cpu_started) / 60
        return f"{wall:.1f} min, {cpu:.1f} CPU min"


def cpu_seconds() -> float:
    """Of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
