"""Each producer numbers its events 1, 2, 3 …: a number that never comes is an event that was taken away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Gap:
    """Numbers that have not come, both ends included."""

    first: int
    last: int
    found_at: datetime

    def without(self, number: int) -> list[Gap]:
        """What is left of it when one of its numbers comes after all."""
        pieces = ((self.first, number - 1), (number + 1, self.last))
        return [Gap(first, last, self.found_at) for first, last in pieces if first <= last]


@dataclass(frozen=True)
class Producer:
    """How far one producer's count has come."""

    name: str
    highest: int
    repeated: int
    seen_at: datetime
    missing: int
    gaps: tuple[Gap, ...]
    """The oldest of them."""
