"""What every dataset gives: labelled cases one at a time, each with where it comes from and what it may be used for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, Truth
from shared.codes import Coding

T = TypeVar("T")
Split = Literal["train", "calibration", "test"]
SPLIT_SHARES: tuple[tuple[Split, float], ...] = (("train", 0.6), ("calibration", 0.2), ("test", 0.2))
DAY_ZERO = datetime(2000, 1, 1, tzinfo=UTC)
"""Stands for the first moment of a case in datasets without dates: admission, or the onset of symptoms."""


@dataclass(frozen=True)
class Task:
    """One question a dataset answers."""

    name: str
    """Such as `diagnosis`, `in_hospital_death`."""
    classes: tuple[str, ...]
    """Names of the classes; a binary task has two, the event last."""
    answered_by: Literal["diagnosis", "deterioration24h"] | None
    """Which output of a bundle is held against it; None: no output of a bundle, only a model trained on the task."""
    groups: tuple[tuple[int, ...], ...] = ()
    """Per class, the bundle's labels whose probabilities are summed for it; empty: class k is label k."""
    codes: tuple[tuple[str, ...], ...] = ()
    """Per class, codes of the labels that count for it, whatever bundle is asked; an empty one takes all the others."""

    def asked_of(self, labels: Sequence[Coding]) -> Task:
        """The same question in the labels of one bundle. Raises: ValueError: none of them counts for a class."""
        if not self.codes:
            return self
        named = {code for own in self.codes for code in own}
        rest = tuple(k for k, coding in enumerate(labels) if coding.code not in named)
        groups = tuple(
            tuple(k for k, coding in enumerate(labels) if coding.code in own) if own else rest for own in self.codes
        )
        for name, group in zip(self.classes, groups, strict=True):
            if not group:
                raise ValueError(f"the bundle has no label that counts as {name} of {self.name}; ask another task")
        return replace(self, groups=groups)


@dataclass(frozen=True)
class Provenance:
    """Where a case comes from and what it may be used for."""

    dataset: str
    source: str
    """File and row, such as `cohort.csv:17`."""
    licence: str
    research_consent: bool
    """Whether it may be used for research: by the patient's consent, by the licence, or because it is synthetic."""
    citation: str = ""
    label_basis: str = ""
    """How the label came to be, such as `text-mined from the report`."""


@dataclass(frozen=True)
class Series:
    """Irregular readings under the names their source gives them, oldest first; the i-th of each belong together.

    It may hold what no bundle knows, and tells apart what shares a LOINC code (an arterial line from a cuff).
    """

    times_h: NDArray[np.float64]
    """Hours relative to the case time, <= 0."""
    variables: tuple[str, ...]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class LabelledCase:
    """One case with what is known of its truth."""

    id: str
    patient: str
    """Pseudonym within the dataset; splits are by patient."""
    inputs: CaseInput
    targets: Mapping[str, int]
    """Task -> class; a task that is missing is unknown."""
    provenance: Provenance
    subgroups: Mapping[str, str] = field(default_factory=dict)
    """Attribute -> value, such as `sex` -> `F`, `age` -> `65-79`, `site` -> `harbour`."""
    outcome_at: datetime | None = None
    """When the outcome was known; evidence after it is a leak."""
    truth: Truth | None = None
    """The ward's; None where nobody knows."""
    measurements: Mapping[str, float] = field(default_factory=dict)
    """LOINC code -> newest value at the case time, for tables; what a bundle knows is in `inputs.vitals` as well."""
    series: Series | None = None
    """Every reading, for models trained on the dataset itself."""
    regions: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Finding -> region drawn by a reader, on the grid of the first image."""


@dataclass(frozen=True)
class Place:
    """A place in a file, for errors."""

    file: Path
    row: int | None = None
    """1-based line of the file, the header being line 1."""

    def __str__(self) -> str:
        return str(self.file) if self.row is None else f"{self.file}:{self.row}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that `str` wrote, such as `Provenance.source`."""
        file, _, row = text.rpartition(":")
        return cls(Path(file), int(row)) if file and row.isdigit() else cls(Path(text))


class DatasetError(Exception):
    """A dataset cannot be used as it is. The message names the file, the row, what is wrong and what to do.

    It never holds a note's text or a patient's identifier.
    """

    def __init__(self, place: Place, problem: str, fix: str) -> None:
        super().__init__(f"{place}: {problem} {fix}")
        self.place, self.problem, self.fix = place, problem, fix


@dataclass(frozen=True)
class Leak:
    """One way in which the answer shows in what a model is given."""

    kind: Literal["label-in-note", "source-predicts-label"]
    task: str
    count: int
    """Cases concerned."""
    of: int
    """Cases that were looked at for it."""
    places: tuple[str, ...] = ()
    """The first few cases concerned, as `Provenance.source`."""
    detail: str = ""

    def __str__(self) -> str:
        where = f" (first: {', '.join(self.places)})" if self.places else ""
        return f"{self.kind}, {self.task}: {self.count} of {self.of} cases. {self.detail}{where}"


@dataclass(frozen=True)
class LeakageReport:
    """What `check` found that is no error: leaks to know of, and what was left out."""

    dataset: str
    cases: int
    leaks: tuple[Leak, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    """What was left out and why -> how often."""

    def lines(self) -> list[str]:
        """The report for people, one finding a line."""
        dropped = [f"left out, {why}: {count}" for why, count in sorted(self.dropped.items())]
        return [f"{self.dataset}: {self.cases} cases checked", *(str(leak) for leak in self.leaks), *dropped]


class Dataset(Protocol):
    """A source of labelled cases, read as a stream."""

    @property
    def name(self) -> str: ...

    @property
    def licence(self) -> str: ...

    @property
    def tasks(self) -> tuple[Task, ...]: ...

    def check(self, *, strict: bool = False) -> LeakageReport:
        """Read everything once: columns, files, duplicates, leaks.

        Args:
            strict: a note that names its label is an error and not a warning.
        Raises: DatasetError.
        """

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        """Cases in a fixed order, one in memory at a time.

        Args:
            split: only the patients of that split; None: all.
            shard: (k, n) gives every n-th case from the k-th, so that n processes share the work.
        Raises: DatasetError.
        """

    def __len__(self) -> int: ...


AGE_BANDS = ((18, "0-17"), (40, "18-39"), (65, "40-64"), (80, "65-79"))


def age_band(age_years: float | None) -> dict[str, str]:
    """The subgroup `age`; nothing where the age is unknown."""
    if age_years is None:
        return {}
    return {"age": next((band for end, band in AGE_BANDS if age_years < end), "80+")}


def split_of(dataset: str, patient: str) -> Split:
    """The split of a patient: a function of the names alone, so that no patient is ever in two."""
    digest = hashlib.sha256(f"{dataset}/{patient}".encode()).digest()
    uniform, below = int.from_bytes(digest[:8], "big") / 2**64, 0.0
    for split, share in SPLIT_SHARES:
        below += share
        if uniform < below:
            return split
    return SPLIT_SHARES[-1][0]


def share_of(items: Iterable[T], shard: tuple[int, int]) -> Iterator[T]:
    """Every n-th item from the k-th. Raises: ValueError: no such shard."""
    k, n = shard
    if not 0 <= k < n:
        raise ValueError(f"shard {shard}: k must be in 0 to n - 1")
    return islice(items, k, None, n)
