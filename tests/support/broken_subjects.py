"""Deliberately broken models: each wraps a working one and breaks one thing that the harness must catch."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
from PIL import Image

from services.diagnosis.case import CaseInput
from services.diagnosis.evaluation.bundle_subject import BundleSubject
from services.diagnosis.evaluation.subject import Answer, Array
from services.diagnosis.inference.prediction import (
    Explanation,
    ImageExplanation,
    NoteExplanation,
    NoteSpan,
    Prediction,
    VitalsExplanation,
    VitalsProfile,
)


@dataclass
class Wrapped:
    """The whole model; answers are kept, since every broken one asks about the same cases."""

    inner: BundleSubject
    kept: dict[int, tuple[CaseInput, Answer]]

    @property
    def name(self) -> str:
        return f"{type(self).__name__}({self.inner.name})"

    @property
    def version(self) -> str:
        return self.inner.version

    @property
    def digest(self) -> str:
        return self.inner.digest

    @property
    def classes(self) -> int:
        return self.inner.classes

    @property
    def coverage(self) -> float:
        return self.inner.coverage

    @property
    def prevalence(self) -> Array:
        return self.inner.prevalence

    def answer(self, case: CaseInput) -> Answer:
        if id(case) not in self.kept:
            self.kept[id(case)] = (case, self.inner.answer(case))
        answer = self.kept[id(case)][1]
        return replace(answer, members=self.break_members(answer.members))

    def explain(self, case: CaseInput) -> Prediction:
        prediction = self.inner.explain(case)
        return replace(prediction, explanation=self.break_explanation(prediction.explanation, case))

    def prediction_set(self, probabilities: Array, pattern: str) -> tuple[int, ...]:
        return self.inner.prediction_set(probabilities, pattern)

    def break_members(self, members: Mapping[str, Array]) -> dict[str, Array]:
        return dict(members)

    def break_explanation(self, explanation: Explanation, case: CaseInput) -> Explanation:
        return explanation


@dataclass
class Deaf(Wrapped):
    """Ignores one modality wherever there is another, and knows nothing where there is not."""

    modality: str = "note"

    def break_members(self, members: Mapping[str, Array]) -> dict[str, Array]:
        return {pattern: self._without(pattern, members) for pattern in members}

    def _without(self, pattern: str, members: Mapping[str, Array]) -> Array:
        rest = "+".join(name for name in pattern.split("+") if name != self.modality)
        if rest:
            return members[rest]
        flat = np.append(self.prevalence, 0.1)
        return np.tile(flat, (len(members[pattern]), 1))


@dataclass
class Overconfident(Wrapped):
    """Doubles every logit."""

    def break_members(self, members: Mapping[str, Array]) -> dict[str, Array]:
        return {pattern: _sharpened(value) for pattern, value in members.items()}


def _sharpened(members: Array) -> Array:
    classes = members[:, :-1] ** 2
    return np.concatenate([classes / classes.sum(1, keepdims=True), members[:, -1:]], axis=1)


@dataclass
class ReadsAbsence(Wrapped):
    """Takes the absence of the image as a sign of the last class, as training on leaky data would teach."""

    def break_members(self, members: Mapping[str, Array]) -> dict[str, Array]:
        return {p: value if "image" in p else _tilted(value) for p, value in members.items()}


def _tilted(members: Array) -> Array:
    tilted = members.copy()
    tilted[:, -2] *= 4
    tilted[:, :-1] /= tilted[:, :-1].sum(1, keepdims=True)
    return tilted


@dataclass
class RandomExplanations(Wrapped):
    """Right answers, invented reasons."""

    def ask(self, cases: Sequence[CaseInput]) -> Array:
        return self.inner.ask(cases)

    def break_explanation(self, explanation: Explanation, case: CaseInput) -> Explanation:
        text = case.notes[0].text if case.notes else ""
        rng = np.random.default_rng(len(text))
        return replace(
            explanation,
            images=tuple(_random_image(image, rng) for image in explanation.images),
            notes=tuple(_random_note(note, len(text), rng) for note in explanation.notes),
            vitals=_random_vitals(explanation.vitals, case, rng),
            profiles=tuple(_random_profile(profile, rng) for profile in explanation.profiles),
        )


def _random_profile(profile: VitalsProfile, rng: np.random.Generator) -> VitalsProfile:
    return replace(profile, contributions=tuple(rng.normal(size=len(profile.contributions)).tolist()))


def _random_image(image: ImageExplanation, rng: np.random.Generator) -> ImageExplanation:
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (8, 8, 4), dtype=np.uint8)).save(buffer, "PNG")
    return replace(image, grid=rng.standard_normal((32, 32)), heatmap_png=buffer.getvalue(), regions=())


def _random_note(note: NoteExplanation, length: int, rng: np.random.Generator) -> NoteExplanation:
    """A span of six characters in every twelve, whatever stands there."""
    return replace(note, spans=tuple(NoteSpan(i, i + 6, float(rng.normal()), False) for i in range(0, length - 6, 12)))


def _random_vitals(
    parts: tuple[VitalsExplanation, ...], case: CaseInput, rng: np.random.Generator
) -> tuple[VitalsExplanation, ...]:
    """As many windows as there were, of any sign and any time."""
    signs = sorted(set(case.vitals.codes)) if case.vitals is not None else []
    invented = []
    for part in parts:
        start = case.as_of - timedelta(hours=float(rng.uniform(6, 72)))
        end = min(case.as_of, start + (part.to - part.from_))
        invented.append(VitalsExplanation(str(rng.choice(signs)), start, end, float(rng.normal())))
    return tuple(invented)
