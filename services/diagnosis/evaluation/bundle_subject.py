"""A bundle under evaluation: the very predictor that serves, asked about every subset of the modalities."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.diagnosis.case import CaseInput
from services.diagnosis.evaluation.subject import Answer, Array, as_answered, exceedances
from services.diagnosis.inference.prediction import Prediction
from services.diagnosis.inference.predictor import Predictor
from shared.codes import Coding


@dataclass(frozen=True)
class BundleSubject:
    """`Subject` over a loaded bundle."""

    predictor: Predictor

    @classmethod
    def load(cls, directory: Path) -> BundleSubject:
        """Raises: BundleMissing, BundleTampered, BundleUnreadable."""
        return cls(Predictor.load(directory))

    @property
    def labels(self) -> tuple[Coding, ...]:
        """The diagnoses that it tells apart."""
        return self.predictor.contents.labels

    @property
    def classes(self) -> int:
        return len(self.labels)

    @property
    def name(self) -> str:
        return self.predictor.bundle.name

    @property
    def version(self) -> str:
        return self.predictor.bundle.version

    @property
    def digest(self) -> str:
        return self.predictor.bundle.digest

    @property
    def coverage(self) -> float:
        return self.predictor.contents.conformal.coverage

    def answer(self, case: CaseInput) -> Answer:
        """Every subset of what input rules let through; a modality they refuse scores 1 and is in no subset."""
        started = time.perf_counter()
        engine, reference = self.predictor.engine, self.predictor.contents.ood
        prepared = self.predictor.prepare(case)
        encoded = {name: engine.encode(name, part) for name, part in prepared.items() if part.refused is None}
        members = engine.ask_every_subset({name: item.encoded for name, item in encoded.items()}) if encoded else {}
        scores = {name: 1 - reference[name].p_value(item.features) for name, item in encoded.items()}
        tasks = self.predictor.contents.config.tasks
        grave = {pattern: exceedances(tasks, value) for pattern, value in members.items()}
        return Answer(
            members={pattern: as_answered(tasks, value) for pattern, value in members.items()},
            ood={name: scores.get(name, 1.0) for name in prepared},
            tokens={name: item.encoded.tokens[0].numpy() for name, item in encoded.items()},
            pooled={name: item.encoded.pooled[0].numpy() for name, item in encoded.items()},
            milliseconds=(time.perf_counter() - started) * 1000,
            severity={pattern: value for pattern, value in grave.items() if value is not None},
        )

    def ask(self, cases: Sequence[CaseInput]) -> Array:
        """What `asking.ask_all` wants, several times as fast as one by one."""
        from services.diagnosis.evaluation.probes.batched import ask_together

        return ask_together(self.predictor, cases, self.prevalence)

    def explain(self, case: CaseInput) -> Prediction:
        """The whole result, as a user would get it."""
        return self.predictor.predict(case)

    def prediction_set(self, probabilities: Array, pattern: str) -> tuple[int, ...]:
        """Labels of the conformal set, most probable first."""
        return tuple(self.predictor.contents.conformal.predict(np.asarray(probabilities), pattern)[0])

    def venn_abers(self, probabilities: Array, pattern: str) -> Array | None:
        """As `GivesVennAbers`."""
        table = self.predictor.contents.venn_abers
        if table is None:
            return None
        return np.stack([table.intervals(probabilities[:, k], pattern, k) for k in range(self.classes)], axis=-1)

    @property
    def prevalence(self) -> Array:
        """[classes]: what the empty set of modalities is worth."""
        return np.array(self.predictor.contents.prevalence[: self.classes])
