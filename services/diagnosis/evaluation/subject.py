"""What the harness judges: anything that answers a case under every availability pattern."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput
from services.diagnosis.inference.prediction import Prediction
from services.diagnosis.model.modalities import DETERIORATION, DIAGNOSIS, SEVERITY, TaskSpec, columns_of

Array = NDArray[np.float64]
AS_AVAILABLE = "as-available"
"""Beside the patterns: each case answered from all it holds, where cases hold different modalities."""


def widest_pattern(patterns: Collection[str]) -> str:
    """What speaks for all cases: `AS_AVAILABLE` where there is one, else the pattern of most modalities."""
    return max(patterns, key=lambda name: (name == AS_AVAILABLE, name.count("+")))


def as_answered(tasks: Sequence[TaskSpec], members: Array) -> Array:
    """[..., logits of all tasks] as `Answer.members` has it, [..., classes + 1]: zeros where nobody is asked for it."""
    columns = columns_of(tasks)
    diagnoses = members[..., columns[DIAGNOSIS]]
    asked = DETERIORATION in columns
    worse = members[..., columns[DETERIORATION]] if asked else np.zeros((*members.shape[:-1], 1))
    return np.concatenate([diagnoses, worse], axis=-1)


def exceedances(tasks: Sequence[TaskSpec], members: Array) -> Array | None:
    """[..., logits of all tasks] -> P(severity > j), [..., levels - 1]; None where nobody is asked for it."""
    columns = columns_of(tasks)
    return members[..., columns[SEVERITY]] if SEVERITY in columns else None


@dataclass(frozen=True)
class Answer:
    """What a subject says of one case under every non-empty subset of the modalities the case holds."""

    members: Mapping[str, Array]
    """Pattern -> calibrated member probabilities [members, classes + 1]; last column: deterioration in 24 h."""
    ood: Mapping[str, float]
    """Modality -> out-of-distribution score in [0, 1], 1 - conformal p-value; 1 where an input rule refused it."""
    tokens: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Modality -> encoder tokens [tokens, dim]."""
    pooled: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """Modality -> pooled encoder features [dim]."""
    milliseconds: float = 0.0
    severity: Mapping[str, Array] = field(default_factory=dict)
    """Pattern -> calibrated P(severity > j) of the members [members, levels - 1]; empty: it is not answered."""


@runtime_checkable
class GivesVennAbers(Protocol):
    """A subject whose probabilities come with Venn-Abers intervals."""

    def venn_abers(self, probabilities: Array, pattern: str) -> Array | None:
        """[2, n, classes] of mean probabilities [n, classes]; None: it has none."""


class Subject(Protocol):
    """A model under evaluation. Deliberately broken ones wrap a bundle's (tests)."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def classes(self) -> int: ...

    @property
    def coverage(self) -> float:
        """What the sets promise."""

    def answer(self, case: CaseInput) -> Answer:
        """Probabilities under every pattern; nothing is rejected for being out of distribution, only scored."""

    def explain(self, case: CaseInput) -> Prediction:
        """The whole result with its explanation, as a user would get it."""

    def prediction_set(self, probabilities: Array, pattern: str) -> tuple[int, ...]:
        """Labels of the conformal set of mean probabilities [classes] under a pattern."""


@dataclass(frozen=True)
class SeverityAnswers:
    """What a subject says of the severity of n cases, and what it is."""

    levels: NDArray[np.int64]
    """[n]; -1 where nobody knows."""
    exceedance: Mapping[str, Array]
    """Pattern -> P(level > j), the mean over the members [n, levels - 1]; NaN rows where it was not asked."""
    posterior: Mapping[str, Array] = field(default_factory=dict)
    """Pattern -> the oracle's [n, levels]; empty where nobody knows."""


@dataclass(frozen=True)
class Table:
    """A subject's answers to n cases side by side: all that the metrics need, and no case."""

    labels: NDArray[np.int64]
    """[n] class of the main task."""
    patients: NDArray[np.str_]
    """[n] pseudonyms: the unit of the bootstrap."""
    members: Mapping[str, Array]
    """Pattern -> [members, n, classes + 1]; NaN rows where a case lacks a modality of the pattern."""
    sets: Mapping[str, NDArray[np.bool_]]
    """Pattern -> [n, classes]: is the label in the prediction set."""
    available: NDArray[np.bool_]
    """[n, modalities]: what each case really holds."""
    ood: Mapping[str, Array]
    """Modality -> [n]; NaN where absent."""
    coverage: float
    subgroups: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    deterioration: NDArray[np.float64] | None = None
    """[n] in {0, 1}; NaN where unknown."""
    posterior: Mapping[str, Array] | None = None
    """Pattern -> the oracle's [n, classes]; None where nobody knows."""
    tokens: NDArray[np.float32] | None = None
    """[n, modalities, tokens, dim]; zeros where absent."""
    pooled: NDArray[np.float32] | None = None
    """[n, modalities, dim]; zeros where absent."""
    milliseconds: Array | None = None
    cases: NDArray[np.str_] | None = None
    """[n] ids, to find the same cases again."""
    severity: SeverityAnswers | None = None
    """None: the subject does not answer it, or nobody knows it of any case."""
    venn_abers: Mapping[str, Array] = field(default_factory=dict)
    """Pattern -> [2, n, classes], both ends; NaN rows where it was not asked. Empty: the subject gives none."""
