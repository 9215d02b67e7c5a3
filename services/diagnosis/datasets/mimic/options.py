"""What may be chosen when MIMIC is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.diagnosis.datasets.given import take_as_declared
from services.diagnosis.snapshot import NOTES_WITHIN


@dataclass(frozen=True)
class MimicOptions:
    """Another choice makes another index."""

    unit: Literal["ed", "admission"] = "ed"
    """One case per stay in the emergency department, or per admission to the hospital."""
    hours: float = 4.0
    """The case time: so many hours after arrival, or the end of the stay where that is earlier."""
    notes_within_days: float = NOTES_WITHIN.days
    """Letters of earlier stays so old are still read; a running suite reads as far back."""
    official_split: bool = False
    """The split of MIMIC-CXR-JPG instead of the harness's own; subjects without a radiograph are then left out."""
    keep_others: bool = False
    """Keep stays that were about none of the eight conditions, for the tasks that do not ask for the diagnosis."""

    def __post_init__(self) -> None:
        take_as_declared(self)
        if not self.hours > 0 or self.notes_within_days < 0:
            raise ValueError("hours must be positive and notes_within_days not negative")
