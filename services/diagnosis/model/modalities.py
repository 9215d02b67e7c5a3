"""The order of modalities, the subsets of them that a case may hold, and what the network is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from typing import Literal

from services.diagnosis.model.registry import ENCODERS

MODALITIES = tuple(ENCODERS)
"""Order of every per-modality axis."""
CONTEXT = frozenset({"tabular"})
"""What helps to read the rest and advises nothing by itself: age and sex are no evidence of an acute illness."""


DIAGNOSIS, DETERIORATION, SEVERITY = "diagnosis", "deterioration24h", "severity"
"""Names of the questions that bundles answer."""


@dataclass(frozen=True)
class TaskSpec:
    """One question: its name, its kind, and how many logits answer it (`model.tasks` says how)."""

    name: str
    kind: Literal["multiclass", "binary", "multilabel", "ordinal"]
    logits: int


def columns_of(tasks: Sequence[TaskSpec]) -> dict[str, slice]:
    """Task name -> its columns among the logits, or probabilities, of all tasks."""
    ends = list(accumulate(task.logits for task in tasks))
    return {task.name: slice(end - task.logits, end) for task, end in zip(tasks, ends, strict=True)}


def pattern_name(present: tuple[str, ...] | list[str] | frozenset[str]) -> str:
    """`image+note` for a subset of modalities, in the order of `MODALITIES`.

    Raises: ValueError: an unknown or no modality.
    """
    unknown = set(present) - set(MODALITIES)
    if unknown or not present:
        raise ValueError(f"a pattern is a non-empty subset of {MODALITIES}, got {sorted(present)}")
    return "+".join(name for name in MODALITIES if name in present)


def subsets(present: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """All non-empty subsets, small ones first, each in the order given."""
    return tuple(subset for size in range(1, len(present) + 1) for subset in combinations(present, size))


PATTERNS = tuple(pattern_name(subset) for subset in subsets(MODALITIES))
"""All availability patterns: fifteen of four modalities."""


def mask_of(pattern: str) -> tuple[bool, ...]:
    """Which of `MODALITIES` a pattern holds."""
    names = pattern.split("+")
    return tuple(name in names for name in MODALITIES)
