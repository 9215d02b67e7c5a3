"""A dataset through a subject: all answers side by side as one `Table`, whatever the number of processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import Truth
from services.diagnosis.datasets.base import Dataset, LabelledCase, Split, Task
from services.diagnosis.evaluation.subject import (
    AS_AVAILABLE,
    Answer,
    Array,
    GivesVennAbers,
    SeverityAnswers,
    Subject,
    Table,
)
from services.diagnosis.model.modalities import DETERIORATION, MODALITIES, PATTERNS, SEVERITY
from services.diagnosis.training.jobs import Advance, Job, run_side_by_side
from services.diagnosis.training.task_losses import UNKNOWN

ABSENT = "unknown"


@dataclass(frozen=True)
class Row:
    """One case's answers and truth: small enough to keep for every case."""

    id: str
    label: int
    patient: str
    held: tuple[str, ...]
    answer: Answer
    deterioration: float
    posterior: dict[str, list[float]]
    subgroups: dict[str, str]
    level: int = UNKNOWN
    """Of severity."""
    level_posterior: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """Which cases of a dataset are taken."""

    task: Task
    split: Split | None = None
    patients: int | None = None
    """At most so many cases, evenly from the whole, for a file may be sorted by its answers; None: all."""

    def stride(self, dataset: Dataset) -> int:
        """Every so manieth case is taken."""
        return 1 if self.patients is None else max(1, len(dataset) // self.patients)


def collect(
    subject: Subject, dataset: Dataset, sample: Sample, *, processes: int = 1, on_case: Advance = lambda: None
) -> Table:
    """Ask the subject about every case of the sample whose task is known.

    Raises: DatasetError; JobFailed: an error in a process of its own; ValueError: not a single labelled case.
    """
    count = max(1, processes)

    def job(k: int) -> Job:
        return lambda advance: _shard(subject, dataset, sample, (k, count), advance)

    if count == 1:
        shards = [_shard(subject, dataset, sample, (0, 1), on_case)]
    else:
        shards = run_side_by_side([job(k) for k in range(count)], processes=count, on_step=on_case)
    rows = [row for row in _interleave(shards) if row is not None]
    if not rows:
        raise ValueError(f"no case of {dataset.name} has a known {sample.task.name}")
    return tabulate(rows, subject, sample.task)


def _shard(
    subject: Subject, dataset: Dataset, sample: Sample, shard: tuple[int, int], advance: Advance
) -> list[Row | None]:
    """Rows of one shard; None keeps the place of a case whose task is unknown, so that shards can be interleaved."""
    (k, n), stride = shard, sample.stride(dataset)
    most = None if sample.patients is None else len(range(k, sample.patients, n))
    chosen = dataset.cases(split=sample.split, shard=(k * stride, n * stride))
    rows = []
    for case in islice(chosen, most):
        rows.append(row_of(subject, case, sample.task))
        advance()
    return rows


def row_of(subject: Subject, case: LabelledCase, task: Task) -> Row | None:
    """One case asked; None where the task's answer is unknown or nothing of the case can be used."""
    if task.name not in case.targets:
        return None
    answer = subject.answer(case.inputs)
    if not answer.members:
        return None
    truth = case.truth
    return Row(
        id=case.id,
        label=case.targets[task.name],
        patient=case.patient,
        held=tuple(max(answer.members, key=lambda pattern: pattern.count("+")).split("+")),
        answer=answer,
        deterioration=float(case.targets[DETERIORATION]) if DETERIORATION in case.targets else np.nan,
        posterior=_posterior(truth) if truth is not None else {},
        subgroups=dict(case.subgroups),
        level=case.targets.get(SEVERITY, UNKNOWN),
        level_posterior=truth.best_severity_beliefs() if truth is not None else {},
    )


def _posterior(truth: Truth) -> dict[str, list[float]]:
    """The oracle under every pattern, and given just what the case holds: absence itself may tell something."""
    given = truth.posterior_given_availability
    return {**truth.best_beliefs(), **({AS_AVAILABLE: given} if given else {})}


def _interleave(shards: Sequence[Sequence[Row | None]]) -> list[Row | None]:
    longest = max(len(shard) for shard in shards)
    return [shard[place] for place in range(longest) for shard in shards if place < len(shard)]


def tabulate(rows: Sequence[Row], subject: Subject, task: Task) -> Table:
    """Rows as arrays, the subject's labels gathered into the classes of the task."""
    members = {p: _members([row.answer.members.get(p) for row in rows], task) for p in PATTERNS}
    members = {p: value for p, value in members.items() if not np.isnan(value).all()}
    if len({row.held for row in rows}) > 1:
        members[AS_AVAILABLE] = _members([row.answer.members["+".join(row.held)] for row in rows], task)
    answered = [pattern for pattern in members if all(pattern in row.posterior for row in rows)]
    posterior = {pattern: np.array([row.posterior[pattern] for row in rows]) for pattern in answered}
    names = sorted({name for row in rows for name in row.subgroups})
    return Table(
        labels=np.array([row.label for row in rows], np.int64),
        patients=np.array([row.patient for row in rows]),
        members=members,
        sets={p: _sets(rows, p, subject, task) for p in members} if task.answered_by == "diagnosis" else {},
        available=np.array([[name in row.held for name in MODALITIES] for row in rows]),
        ood={name: np.array([row.answer.ood.get(name, np.nan) for row in rows]) for name in MODALITIES},
        coverage=subject.coverage,
        subgroups={name: np.array([row.subgroups.get(name, ABSENT) for row in rows]) for name in names},
        deterioration=np.array([row.deterioration for row in rows]),
        posterior=posterior or None,
        tokens=_features([row.answer.tokens for row in rows]),
        pooled=_features([row.answer.pooled for row in rows]),
        milliseconds=np.array([row.answer.milliseconds for row in rows]),
        cases=np.array([row.id for row in rows]),
        severity=_severity(rows),
        venn_abers=_venn_abers(subject, members, task),
    )


def _venn_abers(subject: Subject, members: Mapping[str, Array], task: Task) -> dict[str, Array]:
    """Where the question is the subject's own, class by class; a mix of patterns has no table."""
    if not isinstance(subject, GivesVennAbers) or task.answered_by != "diagnosis" or task.groups:
        return {}
    asked = {p: own.mean(0)[:, : subject.classes] for p, own in members.items() if p != AS_AVAILABLE}
    found = {p: _where_asked(subject, own, p) for p, own in asked.items()}
    return {pattern: ends for pattern, ends in found.items() if ends is not None}


def _where_asked(subject: GivesVennAbers, probabilities: Array, pattern: str) -> Array | None:
    ends = subject.venn_abers(np.nan_to_num(probabilities), pattern)
    return None if ends is None else np.where(np.isnan(probabilities), np.nan, ends)


def _severity(rows: Sequence[Row]) -> SeverityAnswers | None:
    levels = np.array([row.level for row in rows], np.int64)
    if (levels == UNKNOWN).all() or not any(row.answer.severity for row in rows):
        return None
    told = {p: [row.answer.severity.get(p) for row in rows] for p in PATTERNS}
    if len({row.held for row in rows}) > 1:
        told[AS_AVAILABLE] = [row.answer.severity.get("+".join(row.held)) for row in rows]
    exceedance = {pattern: _means(own) for pattern, own in told.items() if any(one is not None for one in own)}
    believed = {
        pattern: np.array([row.level_posterior[pattern] for row in rows])
        for pattern in exceedance
        if all(pattern in row.level_posterior for row in rows)
    }
    return SeverityAnswers(levels, exceedance, believed)


def _means(answers: Sequence[Array | None]) -> Array:
    """Mean over the members, [n, levels - 1]; NaN rows where the pattern was not asked."""
    steps = next(answer.shape[-1] for answer in answers if answer is not None)
    return np.array([np.full(steps, np.nan) if answer is None else answer.mean(0) for answer in answers])


def gathered(members: Array, task: Task) -> Array:
    """Members [..., labels + 1] of a bundle as [..., task classes + 1]; the last column stays deterioration.

    Labels outside the task's groups are left out and the rest renormalised: the question is then asked given that one
    of the task's classes is true.
    """
    worse = members[..., -1:]
    if task.answered_by == DETERIORATION:
        return np.concatenate([1 - worse, worse, worse], axis=-1)
    if not task.groups:
        return members
    parts = np.stack([members[..., list(group)].sum(-1) for group in task.groups], axis=-1)
    return np.concatenate([parts / parts.sum(-1, keepdims=True), worse], axis=-1)


def _members(answers: Sequence[Array | None], task: Task) -> Array:
    """[members, n, classes + 1]; NaN where the pattern was not asked."""
    known = [gathered(answer, task) for answer in answers if answer is not None]
    if not known:
        return np.full((1, len(answers), len(task.classes) + 1), np.nan)
    stacked = np.full((known[0].shape[0], len(answers), known[0].shape[1]), np.nan)
    stacked[:, [i for i, answer in enumerate(answers) if answer is not None]] = np.stack(known, axis=1)
    return stacked


def _sets(rows: Sequence[Row], pattern: str, subject: Subject, task: Task) -> NDArray[np.bool_]:
    """[n, task classes]: a class is in the set when one of its labels is."""
    groups = task.groups or tuple((k,) for k in range(len(task.classes)))
    inside = np.zeros((len(rows), len(groups)), np.bool_)
    for i, row in enumerate(rows):
        own = "+".join(row.held) if pattern == AS_AVAILABLE else pattern
        if own in row.answer.members:
            mean = row.answer.members[own].mean(0)[: subject.classes]
            chosen = set(subject.prediction_set(mean, own))
            inside[i] = [bool(chosen & set(group)) for group in groups]
    return inside


def _features(parts: Sequence[Any]) -> NDArray[np.float32] | None:
    """[n, modalities, ...]; zeros where absent; None for a subject without features."""
    example = next((value for part in parts for value in part.values()), None)
    if example is None:
        return None
    stacked = np.zeros((len(parts), len(MODALITIES), *example.shape), np.float32)
    for i, part in enumerate(parts):
        for name, value in part.items():
            stacked[i, MODALITIES.index(name)] = value
    return stacked
