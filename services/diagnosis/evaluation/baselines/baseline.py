"""The one shape of all baselines: learn, calibrate per availability pattern, answer whatever is at hand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.baselines.calibration import PatternCalibration
from services.diagnosis.evaluation.baselines.features import Array, Examples, Features, Rows, pattern_codes, replays

Arrays = dict[str, NDArray[Any]]
OnStep = Callable[[], None]
SMALLEST = 1e-12


def silent() -> None:
    """Nobody counts the steps."""


@dataclass(frozen=True)
class Shape:
    """The sizes a baseline is built for."""

    modalities: int
    dim: int
    tokens: int
    """Per modality; 0 where there are none."""
    classes: int

    @classmethod
    def of(cls, examples: Examples) -> Shape:
        features = examples.features
        tokens = 0 if features.tokens is None else features.tokens.shape[2]
        return cls(features.pooled.shape[1], features.pooled.shape[2], tokens, examples.classes)


class Baseline(ABC):
    """A way of combining modalities. `seen`: indices of the modalities it looks at, all others are ignored."""

    def __init__(self, name: str, shape: Shape, seen: tuple[int, ...] | None = None) -> None:
        self.name, self.shape = name, shape
        self.seen = tuple(range(shape.modalities)) if seen is None else seen
        self.prior: Array = np.full(shape.classes, 1 / shape.classes)
        self.calibration = PatternCalibration.none(2**shape.modalities, shape.classes)

    def fit(self, train: Examples, held_out: Examples, *, seed: int, on_step: OnStep = silent) -> None:
        """Learn from `train`; choose the setting and calibrate on `held_out`, whose patients are others."""
        self.prior = train.prior()
        self.learn(train, held_out, seed=seed, on_step=on_step)
        self.calibrate(held_out)

    @abstractmethod
    def learn(self, train: Examples, held_out: Examples, *, seed: int, on_step: OnStep) -> None:
        """All of `fit` but the calibration."""

    @abstractmethod
    def member_logits(self, features: Features) -> Array:
        """[members, n, classes] uncalibrated; every case holds at least one modality that is `seen`."""

    def calibrate(self, held_out: Examples) -> None:
        """Replay every case under every subset of what it holds."""
        parts = list(replays(held_out.features, self.seen))
        if not parts:
            return
        logits = np.concatenate([self.member_logits(features) for _, features in parts], axis=1)
        codes = np.concatenate([self.codes(features) for _, features in parts])
        labels = np.concatenate([held_out.labels[rows] for rows, _ in parts])
        self.calibration = PatternCalibration.fit(logits, codes, labels, 2**self.shape.modalities)

    def probabilities(self, features: Features, *, calibrated: bool = True) -> Array:
        """[n, classes]; the prior where nothing is there that this baseline looks at."""
        codes = self.codes(features)
        answer = np.tile(self.prior, (len(features), 1))
        known = np.flatnonzero(codes)
        if len(known):
            calibration = self.calibration if calibrated else PatternCalibration.none(*self.calibration.shifts.shape)
            answer[known] = calibration.probabilities(self.member_logits(features.take(known)), codes[known])
        return answer

    def codes(self, features: Features) -> Rows:
        """[n] pattern of the modalities that are both there and seen."""
        seen = np.isin(np.arange(self.shape.modalities), self.seen)
        return pattern_codes(features.available & seen)

    def arrays(self) -> Arrays:
        """What was learned, as arrays to store."""
        return {}

    def settings(self) -> dict[str, Any]:
        """What was chosen, as JSON."""
        return {}

    def restore(self, arrays: Arrays, settings: Mapping[str, Any]) -> None:
        """The inverse of `arrays` and `settings`; here there is nothing to put back."""
        return


def negative_log_likelihood(probabilities: Array, labels: Rows) -> float:
    """Mean over the cases, in nats."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], SMALLEST)).mean())


def softmax(logits: Array) -> Array:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
