"""A table under one availability pattern: the cases that hold it, without gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.evaluation.metrics.bootstrap import Array, Labels, Mask
from services.diagnosis.evaluation.subject import Table
from services.diagnosis.model.modalities import pattern_name, subsets


@dataclass(frozen=True)
class View:
    """The n cases that were asked under the pattern."""

    rows: NDArray[np.int64]
    """[n] places in the table."""
    labels: Labels
    probabilities: Array
    """[n, classes]: mean over the members."""
    sets: Mask | None
    """[n, classes]; None where the subject gives no sets."""
    worse: Array
    """[n] probability of deterioration."""
    deteriorated: Array
    """[n] in {0, 1}; NaN where unknown."""
    posterior: Array | None
    """[n, classes] of the oracle; None where nobody knows."""

    @property
    def classes(self) -> int:
        return int(self.probabilities.shape[1])

    def restricted(self, chosen: NDArray[np.int64]) -> View:
        """Only those of its cases, by their place in the view."""
        return View(
            self.rows[chosen],
            self.labels[chosen],
            self.probabilities[chosen],
            None if self.sets is None else self.sets[chosen],
            self.worse[chosen],
            self.deteriorated[chosen],
            None if self.posterior is None else self.posterior[chosen],
        )


def view_of(table: Table, pattern: str) -> View | None:
    """The view of one pattern; None where the subject was never asked under it."""
    if pattern not in table.members:
        return None
    members = table.members[pattern]
    rows = np.flatnonzero(~np.isnan(members).any(axis=(0, 2)))
    if not len(rows):
        return None
    mean = members[:, rows].mean(0)
    classes = mean.shape[1] - 1
    unknown = np.full(len(rows), np.nan)
    return View(
        rows,
        table.labels[rows],
        mean[:, :classes],
        table.sets[pattern][rows] if pattern in table.sets else None,
        mean[:, classes],
        unknown if table.deterioration is None else table.deterioration[rows],
        _posterior(table, pattern, rows, classes),
    )


def fully_observed(table: Table) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The modalities of the fullest pattern, and the places of the cases asked under it and under each of its subsets.

    Those cases can be replayed as if any of the modalities were absent. Without a single one: no places.
    """
    fullest = max(table.members, key=lambda pattern: pattern.count("+"))
    modalities = tuple(fullest.split("+"))
    wanted = [pattern_name(subset) for subset in subsets(modalities)]
    if any(pattern not in table.members for pattern in wanted):
        return modalities, np.zeros(0, np.int64)
    asked = [~np.isnan(table.members[pattern]).any(axis=(0, 2)) for pattern in wanted]
    return modalities, np.flatnonzero(np.all(asked, axis=0))


def probabilities_of(table: Table) -> dict[str, Array]:
    """Pattern -> mean class probabilities [all cases, classes], NaN rows where a case was not asked."""
    return {pattern: members.mean(0)[:, :-1] for pattern, members in table.members.items()}


def _posterior(table: Table, pattern: str, rows: NDArray[np.int64], classes: int) -> Array | None:
    """The oracle speaks of the ward's diagnoses; where a task asks for other classes, it is of no use."""
    if table.posterior is None or pattern not in table.posterior:
        return None
    posterior = table.posterior[pattern][rows]
    return posterior if posterior.shape[1] == classes and not np.isnan(posterior).any() else None
