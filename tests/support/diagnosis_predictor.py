"""A tiny deterministic predictor for tests of the job machinery alone: numbers that follow from the case, no network.

Its bundle directory is any directory. A file `hold` in it makes each prediction of a real patient wait until
the file is gone, and write `held-<process id>` while it waits; a file `fail` makes it raise; a number in a file `drift`
is added to the log-odds.
"""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from services.diagnosis.bundle.errors import BundleTampered
from services.diagnosis.bundle.evidence import Announcement
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.case import CaseInput
from services.diagnosis.inference.films import FilmAnswer, FilmAnswers, GroundedRegion
from services.diagnosis.inference.prediction import (
    Explanation,
    ImageExplanation,
    ModalityExplanation,
    ModalityOutcome,
    Prediction,
    PredictionSet,
    RankedDiagnosis,
    Region,
    SimilarCase,
    SummarySentence,
    Uncertainty,
)
from services.diagnosis.running import Assigned, Loaded, ServingStage
from services.diagnosis.search.index import Entry, VectorIndex
from services.diagnosis.shelf import BundleReader
from shared.codes import DIAGNOSES, PNEUMONIA, SEPSIS
from shared.digests import digest_bytes

BUNDLE = BundleIdentity("arithmetic", "1", digest_bytes(b"arithmetic"))


def identify(directory: Path) -> BundleIdentity:
    """A directory's bundle: the arithmetic one, of the version in its file `version`."""
    file = directory / "version"
    if not file.exists():
        return BUNDLE
    version = file.read_text()
    return BundleIdentity("arithmetic", version, digest_bytes(f"arithmetic {version}".encode()))


def describe(directory: Path) -> Announcement:
    """What the registry is told of it. A file `partial` makes it one that is still being copied."""
    if (directory / "partial").exists():
        raise BundleTampered("A file is missing.")
    return Announcement(identify(directory), {}, "sha256:" + "c" * 64, None)


class ArithmeticPredictor:
    """Probability of pneumonia = sigmoid(mean pixel + note length / 1000 + mean vital sign / 1000)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._identity = identify(directory)

    @classmethod
    def load(cls, directory: Path) -> ArithmeticPredictor:
        """Any directory will do."""
        return cls(directory)

    @property
    def bundle(self) -> BundleIdentity:
        return self._identity

    def reader(self, index: VectorIndex) -> ArithmeticReader:
        """Similarities that follow from the length of a text and the brightness of a film."""
        index.replace("case", _REFERENCES)
        index.replace("image", _REFERENCES)
        return ArithmeticReader(self._directory, index)

    def forget(self) -> None:
        """It keeps nothing."""

    def predict(self, case: CaseInput, *, on_stage: Callable[[str], None]) -> Prediction:
        on_stage("encode")
        real = not any(note.id == "warm-up" for note in case.notes)
        if real:
            self._obey_files()
        started = time.perf_counter()
        terms: dict[str, float] = {}
        if case.images:
            terms["image"] = float(case.images[0].pixels.mean())
        if case.notes:
            terms["note"] = len(case.notes[0].text) / 1000
        if case.vitals is not None:
            terms["vitals"] = float(case.vitals.values.mean()) / 1000
        if (drift := self._directory / "drift").exists():
            terms = {name: term + float(drift.read_text()) for name, term in terms.items()}
        on_stage("fuse")
        return _prediction(case, terms, (time.perf_counter() - started) * 1000)

    def _obey_files(self) -> None:
        if (self._directory / "fail").exists():
            raise ValueError("MRN 4711 cannot be computed")
        mark = self._directory / f"held-{os.getpid()}"
        while (self._directory / "hold").exists():
            mark.touch()
            time.sleep(0.02)


_REFERENCES = [
    Entry("ward:0:1", DIAGNOSES.index(PNEUMONIA), np.array([1.0, 0.0], np.float32)),
    Entry("ward:0:2", DIAGNOSES.index(SEPSIS), np.array([0.0, 1.0], np.float32)),
]


class ArithmeticReader:
    """Near to the first reference case in proportion to the mean pixel or to the length of a text. A file `no-reader`
    makes it raise.
    """

    def __init__(self, directory: Path, index: VectorIndex) -> None:
        self._directory, self._index = directory, index

    def similar_to(self, case: CaseInput, kind: str, k: int) -> tuple[SimilarCase, ...]:
        return self._nearest(float(case.images[0].pixels.mean()) if case.images else 0.0, kind, k)

    def search(self, text: str, kind: str, k: int) -> tuple[SimilarCase, ...]:
        return self._nearest(len(text) / 100, kind, k)

    def ask(self, case: CaseInput, text: str) -> FilmAnswers:
        if (self._directory / "no-reader").exists():
            raise ValueError(f"cannot read {text}")
        if not case.images:
            return FilmAnswers((), "the case has no image that may be used")
        films = [
            FilmAnswer(
                image_id=image.id,
                sop_instance_uid=image.sop_instance_uid,
                similarity=len(text) / 100,
                percentile=50.0,
                reference={"p50": 0.1},
                regions=(GroundedRegion(0, 0, 10, 20, 0.3),),
                heatmap_png=_png(),
                grid=np.array([[0.1, 0.2]]),
            )
            for image in case.images
        ]
        return FilmAnswers(tuple(films))

    def _nearest(self, angle: float, kind: str, k: int) -> tuple[SimilarCase, ...]:
        vector = np.array([math.cos(angle), math.sin(angle)], np.float32)
        hits = self._index.search(kind, vector, k)
        return tuple(SimilarCase(hit.name, hit.similarity, DIAGNOSES[hit.label]) for hit in hits)


def _prediction(case: CaseInput, terms: dict[str, float], spent_ms: float) -> Prediction:
    probability = 1 / (1 + math.exp(-sum(terms.values())))
    evidence = {"image": [i.id for i in case.images], "note": [n.id for n in case.notes]}
    evidence["vitals"] = [case.vitals.id] if case.vitals else []
    return Prediction(
        bundle=BUNDLE,
        modalities={
            name: ModalityOutcome(True, tuple(evidence[name]), {"term": round(terms[name], 6)}, 0.1, False)
            for name in terms
        },
        diagnoses=(
            RankedDiagnosis(PNEUMONIA, probability, (probability / 2, (1 + probability) / 2)),
            RankedDiagnosis(SEPSIS, 1 - probability, (0.0, 1 - probability / 2)),
        ),
        prediction_set=PredictionSet(0.9, (PNEUMONIA.code,), "marginal"),
        uncertainty=Uncertainty(0.5, 0.3, 0.2),
        abstained=False,
        reasons=(),
        risks={},
        explanation=Explanation(
            modalities=ModalityExplanation(PNEUMONIA.code, 0.0, terms, {}),
            images=tuple(
                ImageExplanation(i.id, i.sop_instance_uid, _png(), (Region(0, 0, 1, 1, 0.1),)) for i in case.images
            ),
            summary=(SummarySentence("Pneumonia is most probable.", tuple(evidence["note"])),),
        ),
        timings={"encode": spent_ms, "fuse": spent_ms, "explain": spent_ms},
    )


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (4, 4), (255, 0, 0, 128)).save(buffer, "PNG")
    return buffer.getvalue()


ARITHMETIC = BundleReader(identify, describe, ArithmeticPredictor.load)
"""How a worker reads such directories."""


@dataclass(frozen=True)
class OneModel:
    """`Models` of one bundle that always answers, for tests without a registry."""

    loaded: Loaded

    def assign(self, subject: str) -> Assigned:
        return Assigned(self.loaded, ServingStage.PRODUCTION)

    def active(self) -> Loaded:
        return self.loaded

    def shadow(self) -> Loaded | None:
        return None

    def with_digest(self, digest: str) -> Loaded | None:
        return self.loaded if digest == self.loaded.predictor.bundle.digest else None
