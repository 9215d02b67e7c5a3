"""A model whose reasons are known: one bright patch, one word and one fast heart, each worth three log-odds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import numpy as np

from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.case import CaseInput, ImageInput, NoteInput, Truth, VitalsInput
from services.diagnosis.datasets.base import LabelledCase, Provenance
from services.diagnosis.evaluation.probes.asking import held
from services.diagnosis.evaluation.subject import Answer, Array
from services.diagnosis.inference.prediction import (
    Explanation,
    ImageExplanation,
    ModalityExplanation,
    ModalityOutcome,
    NoteExplanation,
    NoteSpan,
    Prediction,
    RankedDiagnosis,
    VitalsExplanation,
)
from services.diagnosis.ward.tables import WARD
from shared.codes import DIAGNOSES, HEART_RATE, RESPIRATORY_RATE

AS_OF = datetime(2026, 1, 15, 8, tzinfo=UTC)
SIDE, PATCH = 64, (slice(16, 24), slice(40, 48))
"""The patch is two by two of the 16 x 16 patches that are taken away."""
WORD = "crackles"
TEXT = (
    "The patient walked in alone this morning and slept rather well after supper. There are crackles today. Medication "
    "was reviewed with the family, who will visit again tomorrow after lunch if the weather allows it."
)
PREVALENCE = 0.05
WORTH = 3.0
"""Log-odds of each sign."""


@dataclass(frozen=True)
class KnownSubject:
    """p(first label) = sigmoid(log-odds of its prevalence + 3 for each sign); explanations are exact."""

    name: str = "known"
    version: str = "1"
    digest: str = "sha256:0"
    classes: int = len(DIAGNOSES)
    coverage: float = 0.9

    @property
    def prevalence(self) -> Array:
        return _spread(PREVALENCE)

    def signs(self, case: CaseInput) -> dict[str, float]:
        """Modality -> how much of its sign is there, 0 to 1."""
        found = {}
        if case.images:
            found["image"] = float(case.images[0].pixels[PATCH].mean())
        if case.notes:
            found["note"] = float(WORD in case.notes[0].text)
        if case.vitals is not None:
            heart = np.array(case.vitals.codes) == HEART_RATE.code
            recent = heart & (case.vitals.times_h >= -6)
            found["vitals"] = float(recent.any() and case.vitals.values[recent].mean() > 100)
        return found

    def answer(self, case: CaseInput) -> Answer:
        signs = self.signs(case)
        subsets = [s for size in range(1, len(signs) + 1) for s in combinations(signs, size)]
        members = {"+".join(s): np.append(_spread(_sigmoid(self._z(signs, s))), 0.1)[None] for s in subsets}
        return Answer(members, dict.fromkeys(signs, 0.5))

    def explain(self, case: CaseInput) -> Prediction:
        signs = self.signs(case)
        parts = {name: WORTH * value for name, value in signs.items()}
        probability = _sigmoid(self._z(signs, tuple(signs)))
        return Prediction(
            BundleIdentity(self.name, self.version, self.digest),
            {name: ModalityOutcome(True, (), {}, 0.5, False) for name in signs},
            (RankedDiagnosis(DIAGNOSES[0], probability, (0.0, 1.0)),),
            None,
            None,
            False,
            (),
            {},
            self._why(case, parts),
        )

    def prediction_set(self, probabilities: Array, pattern: str) -> tuple[int, ...]:
        return (int(probabilities.argmax()),)

    def _z(self, signs: dict[str, float], names: tuple[str, ...]) -> float:
        return _logit(PREVALENCE) + WORTH * sum(signs[name] for name in names)

    def _why(self, case: CaseInput, parts: dict[str, float]) -> Explanation:
        across = ModalityExplanation(DIAGNOSES[0].code, _logit(PREVALENCE), parts, {})
        images: tuple[ImageExplanation, ...] = ()
        notes: tuple[NoteExplanation, ...] = ()
        vitals: tuple[VitalsExplanation, ...] = ()
        if case.images:
            grid = np.zeros((SIDE, SIDE))
            grid[PATCH] = parts["image"] / grid[PATCH].size
            images = (ImageExplanation(case.images[0].id, "1.2.3", b"", (), grid),)
        if case.notes and parts["note"]:
            start = case.notes[0].text.index(WORD)
            notes = (NoteExplanation(case.notes[0].id, (NoteSpan(start, start + len(WORD), parts["note"], False),)),)
        if case.vitals is not None:
            begin = case.as_of - timedelta(hours=6)
            vitals = (VitalsExplanation(HEART_RATE.code, begin, case.as_of, parts["vitals"]),)
        return Explanation(across, images, notes, vitals)


@dataclass(frozen=True)
class GuessingSubject(KnownSubject):
    """The same answers with invented reasons."""

    def explain(self, case: CaseInput) -> Prediction:
        prediction = super().explain(case)
        rng = np.random.default_rng([ord(c) for c in case.images[0].id] if case.images else 0)
        why = prediction.explanation
        images = tuple(replace(image, grid=rng.normal(size=(SIDE, SIDE))) for image in why.images)
        notes = tuple(replace(note, spans=_anywhere(case.notes[0].text, rng)) for note in why.notes)
        vitals = tuple(
            VitalsExplanation(code, case.as_of - timedelta(hours=h + 6), case.as_of - timedelta(hours=h), rng.normal())
            for code in (HEART_RATE.code, RESPIRATORY_RATE.code)
            for h in range(0, 48, 6)
        )
        return replace(prediction, explanation=replace(why, images=images, notes=notes, vitals=vitals))


def known_case(index: int = 0, *, ill: bool = True) -> LabelledCase:
    """A patient with all three signs, or with none."""
    rng = np.random.default_rng(index)
    pixels = rng.uniform(0.0, 0.2, (SIDE, SIDE)).astype(np.float32)
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[PATCH] = True
    if ill:
        pixels[mask] = 1.0
    times = np.repeat(np.arange(-47.5, 0), 2)
    codes = (HEART_RATE.code, RESPIRATORY_RATE.code) * 48
    values = np.where(np.array(codes) == HEART_RATE.code, 72.0, 16.0)
    values[(np.array(codes) == HEART_RATE.code) & (times >= -6)] = 130.0 if ill else 72.0
    text = TEXT if ill else TEXT.replace(WORD, "flowers")
    start = TEXT.index(WORD)
    findings = {finding.name: finding.values[0] for finding in WARD.findings}
    truth = Truth(0 if ill else 7, False)
    if ill:
        findings |= {"consolidation": "lower", "productive_cough": "asserted", "tachycardia": "sustained"}
        spans = ((start, start + len(WORD), "productive_cough", False),)
        windows = ((HEART_RATE.code, -6.0, 0.0, "tachycardia"),)
        truth = replace(truth, masks={"consolidation": mask}, spans=spans, windows=windows)
    name = f"known-{index}"
    inputs = CaseInput(
        AS_OF,
        (ImageInput(f"{name}-image", "1.2.3", pixels, SIDE, SIDE, AS_OF - timedelta(hours=2)),),
        (NoteInput(f"{name}-note", text, AS_OF - timedelta(hours=1), "34117-2"),),
        VitalsInput(f"{name}-vitals", times, codes, values),
    )
    assert held(inputs) == ("image", "note", "vitals")
    origin = Provenance("known", "known", "CC0-1.0", True)
    return LabelledCase(name, name, inputs, {"diagnosis": truth.label}, origin, truth=replace(truth, findings=findings))


def known_cases(n: int) -> list[LabelledCase]:
    return [known_case(index) for index in range(n)]


def _anywhere(text: str, rng: np.random.Generator) -> tuple[NoteSpan, ...]:
    starts = [i for i in range(len(text)) if text[i].isalpha() and (i == 0 or not text[i - 1].isalpha())]
    chosen = sorted(rng.permutation(starts)[:6].tolist())
    return tuple(NoteSpan(i, text.find(" ", i), float(rng.normal()), False) for i in chosen if text.find(" ", i) > 0)


def _spread(probability: float) -> Array:
    rest = (1 - probability) / (len(DIAGNOSES) - 1)
    return np.array([probability, *[rest] * (len(DIAGNOSES) - 1)])


def _sigmoid(z: float) -> float:
    return float(1 / (1 + np.exp(-z)))


def _logit(p: float) -> float:
    return float(np.log(p / (1 - p)))
