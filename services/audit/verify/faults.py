"""What a check can end with, beside good."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAX_FAULTS = 20


class Bad(Exception):
    """What was given does not prove what it should; the message says why."""


class CannotCheck(Exception):
    """A key, a file or a database cannot be used; the message says why."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. `index` is the first entry that it may concern; None: no entry in particular."""

    index: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.index is None else f"entry {self.index}: {self.what}"


@dataclass
class Report:
    """What a check found: facts to show, and faults, of which a good one has none."""

    facts: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether everything holds."""
        return not self.faults

    @property
    def full(self) -> bool:
        """Whether there are enough faults to stop looking."""
        return len(self.faults) >= MAX_FAULTS

    @property
    def first_bad(self) -> int | None:
        """The lowest index that any fault names."""
        return min((fault.index for fault in self.faults if fault.index is not None), default=None)

    def fault(self, index: int | None, what: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(index, what))

    def fault_within(self, start: int, end: int, what: str) -> None:
        """Note that something in [start, end) is wrong: where a fault is known there already, that is the place."""
        known = (fault.index for fault in self.faults if fault.index is not None and start <= fault.index < end)
        self.fault(min(known, default=start), what)

    def as_json(self) -> dict[str, Any]:
        """The machine-readable answer."""
        answer: dict[str, Any] = {"good": self.good, **self.facts}
        if self.faults:
            listed = [{"index": fault.index, "what": fault.what} for fault in self.faults]
            answer |= {"firstBad": self.first_bad, "reason": str(self.faults[0]), "faults": listed}
        return answer


def plain(text: str) -> str:
    """Text that cannot steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
