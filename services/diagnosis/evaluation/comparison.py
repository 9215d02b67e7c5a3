"""The baselines' answers as tables of the same cases, and what fusing gains over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.datasets.base import Dataset, Task
from services.diagnosis.evaluation.baselines.cohort_features import encoder_of, read_evidence
from services.diagnosis.evaluation.baselines.crossval import OURS, cross_validate
from services.diagnosis.evaluation.baselines.features import Features
from services.diagnosis.evaluation.baselines.suite import DOCUMENT, BaselineSuite
from services.diagnosis.evaluation.metrics.paired import compare
from services.diagnosis.evaluation.subject import Array, Subject, Table, widest_pattern
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.modalities import MODALITIES, mask_of
from services.diagnosis.training.jobs import Advance

FOLDS = 5
FEWEST = 2 * FOLDS
"""Patients of a class, so that each fold has some to learn from and some to be tried on."""
SIMPLE_FUSIONS = ("early-concatenation", "late-average", "logistic-stacking")
"""What a hybrid has to beat to be worth its name (hybrid gain)."""


def bundled_baselines(bundle: Path, table: Table) -> dict[str, Table]:
    """The baselines that were trained with a bundle, asked about the features of the table's cases; none: empty."""
    if not (bundle / DOCUMENT).exists() or table.pooled is None:
        return {}
    suite = BaselineSuite.load(bundle)
    every = Features(table.pooled, table.tokens, table.available, MODALITIES)
    return {name: _asked(suite, name, table, every) for name in suite.names}


def _asked(suite: BaselineSuite, name: str, table: Table, features: Features) -> Table:
    """One baseline under every pattern for which it has all that it needs."""
    own = name.removesuffix("-alone")
    members: dict[str, Array] = {}
    for pattern, answers in table.members.items():
        if own != name and own not in pattern.split("+"):
            continue
        rows = np.flatnonzero(~np.isnan(answers).any((0, 2)))
        own_features = features.take(rows).under(mask_of(pattern))
        members[pattern] = answered(suite.probabilities(name, own_features), rows, len(table.labels))
    return without_sets(table, members)


def answered(probabilities: Array, rows: NDArray[np.int64], n: int) -> Array:
    """[rows, classes] as members [1, n, classes + 1]; NaN for other cases. Nobody is asked about deterioration."""
    members = np.full((1, n, probabilities.shape[1] + 1), np.nan)
    members[0, rows, :-1] = probabilities
    members[0, rows, -1] = 0
    return members


def without_sets(table: Table, members: Mapping[str, Array]) -> Table:
    """The same cases answered by another model, which has no sets, no scores and no features."""
    return replace(
        table,
        members=dict(members),
        sets={},
        ood={},
        tokens=None,
        pooled=None,
        milliseconds=None,
        deterioration=None,
        severity=None,
    )


def cross_validated(
    subject: Subject, dataset: Dataset, task: Task, table: Table, *, seed: int, processes: int, on_fold: Advance
) -> dict[str, Table]:
    """All candidates trained on the dataset itself, each case answered by models that have not seen its patient.

    They learn from more than a bundle is given (laboratory values, every variable of a series), and from its frozen
    image features; words are learned anew in every fold. None where a class has fewer than `FEWEST` patients.
    """
    predictor = getattr(subject, "predictor", None)
    encode = encoder_of(predictor) if isinstance(predictor, Predictor) else None
    known = set(table.cases.tolist()) if table.cases is not None else set()
    evidence = read_evidence((case for case in dataset.cases() if case.id in known), task, encode)
    patients = [len(np.unique(evidence.patients[evidence.labels == k])) for k in range(len(task.classes))]
    if min(patients) < FEWEST:
        return {}
    known_parts = evidence.features(np.arange(len(evidence.labels)), seed).modalities
    # With one modality there is nothing to fuse: every fusion, ours too, would be the single one trained again.
    names = (f"{known_parts[0]}-alone", "gradient-boosting", "logistic-regression")
    answers = cross_validate(
        evidence.features, evidence.labels, evidence.patients, classes=len(task.classes), folds=FOLDS, seeds=(seed,),
        names=names if len(known_parts) == 1 else None, processes=processes, on_step=on_fold,
    )  # fmt: skip
    place = {case: row for row, case in enumerate(table.cases.tolist() if table.cases is not None else [])}
    rows = np.array([place[case] for case in evidence.ids])
    pattern = widest_pattern(table.members)
    return {name: without_sets(table, {pattern: answered(p[0], rows, len(place))}) for name, p in answers.items()}


def gains(table: Table, baselines: Mapping[str, Table], pattern: str, *, seed: int, resamples: int) -> dict[str, Any]:
    """Macro AUROC of the fused answer minus that of others, on the same cases and draws, each `{value, low, high}`.

    `fused_over_best_single`: the same model with its best single modality (best on these cases: that favours the
    single one). `hybrid_over_best_fusion`: the best of the simple fusions. `retrained_over_best_fusion`: our fusion,
    trained on the dataset like the others, against them. `over_NAME`: every baseline.
    """
    singles = [name for name in pattern.split("+") if name in table.members] if "+" in pattern else []
    found = {f"over_{name}_alone": _difference((table, pattern), (table, name), seed, resamples) for name in singles}
    best = _smallest(found.values())
    over = {
        name: _difference((table, pattern), (other, pattern), seed, resamples)
        for name, other in baselines.items()
        if pattern in other.members
    }
    fusion = _smallest(over[name] for name in SIMPLE_FUSIONS if name in over)
    retrained: dict[str, float] | None = None
    if OURS in baselines:
        rivals = [baselines[name] for name in SIMPLE_FUSIONS if name in baselines]
        ours = (baselines[OURS], pattern)
        retrained = _smallest(_difference(ours, (other, pattern), seed, resamples) for other in rivals)
    return {
        **({"retrained_over_best_fusion": retrained} if retrained else {}),
        **({"fused_over_best_single": best} if best else {}),
        **({"hybrid_over_best_fusion": fusion} if fusion else {}),
        **{f"over_{name}": gain for name, gain in over.items()},
    }


def _difference(first: tuple[Table, str], second: tuple[Table, str], seed: int, resamples: int) -> dict[str, float]:
    gain: dict[str, float] = compare(first, second, seed=seed, resamples=resamples)["macro_auroc"]
    return gain


def regrets(table: Table, *, seed: int, resamples: int) -> dict[str, Any]:
    """Per pattern of several modalities: its macro AUROC minus that of its best single one, better not below 0."""
    found = {}
    for pattern in table.members:
        singles = [name for name in pattern.split("+") if name in table.members]
        if len(singles) > 1:
            pairs = [_difference((table, pattern), (table, name), seed, resamples) for name in singles]
            if smallest := _smallest(pairs):
                found[pattern] = smallest
    return found


def _smallest(gains: Iterable[dict[str, float]]) -> dict[str, float] | None:
    """The smallest gain of those that are defined: a class of one case has no AUROC."""
    return min((gain for gain in gains if gain["value"] is not None), key=lambda gain: gain["value"], default=None)
