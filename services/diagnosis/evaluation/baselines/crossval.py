"""Everyone under the same folds: cross-validation of all baselines and of our own fusion on one cohort."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.baselines.baseline import Baseline, OnStep, Shape, silent
from services.diagnosis.evaluation.baselines.classical import gradient_boosting, logistic_regression
from services.diagnosis.evaluation.baselines.combiners import Combiner
from services.diagnosis.evaluation.baselines.features import Array, Examples, Features, Rows
from services.diagnosis.evaluation.baselines.hybrid import HybridFusion
from services.diagnosis.evaluation.baselines.learned import Budget, LearnedBaseline
from services.diagnosis.evaluation.baselines.suite import build_baselines
from services.diagnosis.training.jobs import Advance, Job, run_side_by_side

OURS = "consilium-fusion"
CALIBRATION_FOLDS = 5
"""One of so many parts of a fold's training patients chooses settings and calibrates."""
MakeFeatures = Callable[[Rows, int], Features]
"""(training rows, seed) -> features of all cases, of which anything learned comes from those rows."""


@dataclass(frozen=True)
class Labelled:
    """Cases with their labels and patients."""

    labels: Rows
    patients: NDArray[np.str_]
    classes: int


def cross_validate(
    features: Features | MakeFeatures,
    labels: Rows,
    patients: NDArray[np.str_],
    *,
    classes: int,
    folds: int = 5,
    seeds: Sequence[int] = (1,),
    budget: Budget | None = None,
    names: Sequence[str] | None = None,
    processes: int = 2,
    on_step: OnStep = silent,
) -> dict[str, Array]:
    """Out-of-fold probabilities [seeds, n, classes] by name; no patient is on both sides of any split.

    Args:
        names: of the candidates; None: all baselines, `consilium-fusion`, the two classical ones.
        on_step: called once per seed and fold.
    Raises: JobFailed; ValueError: fewer patients than folds.
    """
    cohort = Labelled(labels, patients, classes)
    make = (lambda _rows, _seed: features) if isinstance(features, Features) else features
    parts = [(seed, *split) for seed in seeds for split in grouped_folds(cohort, folds, seed)]

    def job(seed: int, rest: Rows, test: Rows) -> Job:
        def run(advance: Advance) -> dict[str, Array]:
            answers = answer_fold(make, cohort, rest, test, seed=seed, budget=budget or Budget(), names=names)
            advance()
            return answers

        return run

    answers = run_side_by_side([job(*part) for part in parts], processes=processes, on_step=on_step)
    found = {name: np.full((len(seeds), len(labels), classes), np.nan) for name in answers[0]}
    for (seed, _, test), answer in zip(parts, answers, strict=True):
        for name, probabilities in answer.items():
            found[name][list(seeds).index(seed), test] = probabilities
    return found


def answer_fold(
    make: MakeFeatures,
    cohort: Labelled,
    rest: Rows,
    test: Rows,
    *,
    seed: int,
    budget: Budget,
    names: Sequence[str] | None = None,
) -> dict[str, Array]:
    """Fit every candidate on `rest`, a part of whose patients calibrates; probabilities [test cases, classes]."""
    inner = Labelled(cohort.labels[rest], cohort.patients[rest], cohort.classes)
    fit, held = next(iter(grouped_folds(inner, CALIBRATION_FOLDS, seed)))
    features = make(rest[fit], seed)
    _, codes = np.unique(cohort.patients, return_inverse=True)
    every = Examples(
        Features(features.pooled, features.tokens, features.available, features.modalities, codes),
        cohort.labels,
        cohort.classes,
    )
    train, held_out = every.take(rest[fit]), every.take(rest[held])
    candidates = build_candidates(Shape.of(every), features.modalities, budget)
    chosen = [one for one in candidates.values() if names is None or one.name in names]
    wanted = {id(one) for one in chosen}
    wanted |= {id(expert) for one in chosen if isinstance(one, Combiner) for expert in one.experts}
    for candidate in candidates.values():  # the experts come first
        if id(candidate) in wanted:
            candidate.fit(train, held_out, seed=seed)
    return {one.name: one.probabilities(every.features.take(test)) for one in chosen}


def build_candidates(shape: Shape, modalities: tuple[str, ...], budget: Budget) -> dict[str, Baseline]:
    """All baselines, our own fusion and the classical ones, by name."""
    ours = LearnedBaseline(OURS, shape, HybridFusion, budget)
    classical = [gradient_boosting(shape), logistic_regression(shape)]
    return {**build_baselines(shape, modalities, budget), **{one.name: one for one in (ours, *classical)}}


def grouped_folds(cohort: Labelled, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """(training rows, test rows) per fold: by patient, classes about equally frequent in each.

    Raises: ValueError: fewer patients than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if len(np.unique(cohort.patients)) < folds:
        raise ValueError(f"{folds} folds need at least as many patients, got {len(np.unique(cohort.patients))}")
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(cohort.labels)), cohort.labels, cohort.patients))
