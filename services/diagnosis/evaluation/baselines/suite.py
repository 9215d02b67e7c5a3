"""All baselines of a set of modalities: fitted side by side, asked by name, stored beside a bundle. Never pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from services.diagnosis.evaluation.baselines.baseline import Arrays, Baseline, OnStep, Shape, silent
from services.diagnosis.evaluation.baselines.calibration import PatternCalibration
from services.diagnosis.evaluation.baselines.combiners import Combiner, LateAverage, LogisticStacking, NaiveBayesLogOdds
from services.diagnosis.evaluation.baselines.features import Array, Examples, Features, Rows
from services.diagnosis.evaluation.baselines.gate import GateFusion
from services.diagnosis.evaluation.baselines.learned import Budget, LearnedBaseline
from services.diagnosis.evaluation.baselines.lstm import LstmFusion
from services.diagnosis.evaluation.baselines.perceptrons import Alone, EarlyConcatenation, ZeroImputation
from services.diagnosis.training.jobs import Advance, Job, run_side_by_side

SCHEMA = "consilium-baselines/1"
ARRAYS, DOCUMENT = "models/baselines.safetensors", "configs/baselines.json"
COMBINERS: dict[str, type[Combiner]] = {
    "late-average": LateAverage,
    "logistic-stacking": LogisticStacking,
    "naive-bayes-log-odds": NaiveBayesLogOdds,
}


@dataclass(frozen=True)
class BaselineSuite:
    """Fitted baselines by name."""

    shape: Shape
    modalities: tuple[str, ...]
    baselines: Mapping[str, Baseline]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.baselines)

    def probabilities(self, name: str, features: Features, *, calibrated: bool = True) -> Array:
        """[n, classes] of one baseline for whatever is available.

        Raises: KeyError: no such baseline; ValueError: features of other modalities or sizes than were learned.
        """
        if features.modalities != self.modalities or features.pooled.shape[2] != self.shape.dim:
            raise ValueError(f"these baselines know {self.modalities} of dimension {self.shape.dim}")
        return self.baselines[name].probabilities(features, calibrated=calibrated)

    def save(self, directory: Path) -> None:
        """Write `models/baselines.safetensors` and `configs/baselines.json`."""
        from safetensors.numpy import save_file

        for name in (ARRAYS, DOCUMENT):
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
        arrays: Arrays = {}
        for name, baseline in self.baselines.items():
            arrays |= {f"{name}/{key}": np.ascontiguousarray(value) for key, value in baseline.arrays().items()}
        save_file(arrays, directory / ARRAYS)
        document = {
            "schema": SCHEMA,
            "shape": asdict(self.shape),
            "modalities": list(self.modalities),
            "baselines": {name: state_of(baseline)[1] for name, baseline in self.baselines.items()},
        }
        (directory / DOCUMENT).write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> BaselineSuite:
        """Raises: FileNotFoundError: a bundle without baselines; ValueError: of another schema."""
        from safetensors.numpy import load_file

        document = json.loads((directory / DOCUMENT).read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"{DOCUMENT} is not of schema {SCHEMA}")
        arrays, shape = load_file(directory / ARRAYS), Shape(**document["shape"])
        modalities = tuple(document["modalities"])
        baselines = build_baselines(shape, modalities, Budget())
        for name, baseline in baselines.items():
            prefix = f"{name}/"
            own = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
            restore(baseline, own, document["baselines"][name])
        return cls(shape, modalities, baselines)


def fit_baselines(
    train: Features,
    train_labels: Rows,
    calibration: Features,
    calibration_labels: Rows,
    *,
    classes: int,
    seed: int,
    budget: Budget | None = None,
    processes: int = 2,
    on_step: OnStep = silent,
) -> BaselineSuite:
    """Fit, choose and calibrate all baselines. The same seed gives the same suite, whatever the processes.

    Args:
        train: every variant of the training cases, `Features.join`ed.
        calibration: cases of other patients, on which settings are chosen and probabilities calibrated.
        on_step: called `count_steps(budget, modalities)` times.
    Raises: JobFailed.
    """
    examples = Examples(train, train_labels, classes)
    held_out = Examples(calibration, calibration_labels, classes)
    baselines = build_baselines(Shape.of(examples), train.modalities, budget or Budget())
    learned = [one for one in baselines.values() if isinstance(one, LearnedBaseline)]
    learned.sort(key=lambda one: one.build is not LstmFusion)  # the longest first

    def job(baseline: LearnedBaseline) -> Job:
        def run(advance: Advance) -> Any:
            baseline.fit(examples, held_out, seed=seed, on_step=advance)
            return *state_of(baseline), baseline.out_of_fold

        return run

    answers = run_side_by_side([job(one) for one in learned], processes=processes, on_step=on_step)
    for baseline, (arrays, settings, out_of_fold) in zip(learned, answers, strict=True):
        restore(baseline, arrays, settings)
        baseline.out_of_fold = out_of_fold
    for late in (one for one in baselines.values() if isinstance(one, Combiner)):
        late.fit(examples, held_out, seed=seed, on_step=on_step)
    return BaselineSuite(Shape.of(examples), train.modalities, baselines)


def count_steps(budget: Budget, modalities: int) -> int:
    """How often `fit_baselines` calls `on_step`."""
    return (modalities + 4) * budget.fits + 3 + 2


def build_baselines(shape: Shape, modalities: tuple[str, ...], budget: Budget) -> dict[str, Baseline]:
    """Fresh baselines by name."""
    experts = [
        LearnedBaseline(f"{name}-alone", shape, partial(Alone, modality=m), budget, seen=(m,))
        for m, name in enumerate(modalities)
    ]
    fused = {
        "early-concatenation": EarlyConcatenation,
        "zero-imputation": ZeroImputation,
        "lstm-medfuse": LstmFusion,
        "gate-drfuse": GateFusion,
    }
    every: list[Baseline] = [*experts]
    every += [LearnedBaseline(name, shape, build, budget) for name, build in fused.items()]
    every += [combiner(name, shape, experts) for name, combiner in COMBINERS.items()]
    return {one.name: one for one in every}


def state_of(baseline: Baseline) -> tuple[Arrays, dict[str, Any]]:
    """What `restore` needs: to store it, or to hand it from one process to another."""
    common = {"prior": baseline.prior.tolist(), "calibration": baseline.calibration.to_json()}
    return baseline.arrays(), {**common, **baseline.settings()}


def restore(baseline: Baseline, arrays: Arrays, settings: Mapping[str, Any]) -> None:
    """The inverse of `state_of`, in place."""
    baseline.prior = np.array(settings["prior"])
    baseline.calibration = PatternCalibration.from_json(settings["calibration"])
    baseline.restore(arrays, settings)
