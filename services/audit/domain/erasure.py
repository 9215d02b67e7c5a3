"""Erasures and legal holds.

An erasure is carried out by every service that keeps patient data, each with a receipt; while a hold stands it waits.
Neither knows patients otherwise than by pseudonym, but for the identifier that an unfinished erasure hands on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

OWN = "audit"
"""This service's own part in an erasure."""
State = Literal["held", "running", "done"]


@dataclass(frozen=True)
class Part:
    """What one service has to do for an erasure, and its receipt once it has."""

    service: str
    stores: Mapping[str, int] | None = None
    """How many of which store were erased; None: it has not answered yet."""
    done_at: datetime | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Erasure:
    """That one patient's data are erased."""

    id: str
    subject_ref: str
    patient: str | None
    """Until it is done; None also where the journal tells of it and nobody knows any more."""
    reason: str
    issuer: str
    subject: str
    """Who asked for it."""
    requested_at: datetime
    state: State = "running"
    again: bool = False
    """Whether it was done before, and a restored backup has brought something back."""
    finished_at: datetime | None = None
    index: int | None = None
    """Log index of the newest event that tells of it."""
    parts: tuple[Part, ...] = ()

    @property
    def open_parts(self) -> tuple[Part, ...]:
        """Those without a receipt."""
        return tuple(part for part in self.parts if part.stores is None)


@dataclass(frozen=True)
class Hold:
    """That a patient's data must be kept for now, whoever wants them erased."""

    id: str
    subject_ref: str
    reason: str
    owner: str
    """Who answers for it, in the site's own words: a court's file number, a department."""
    issuer: str
    subject: str
    """Who placed it."""
    placed_at: datetime
    index: int
    released_at: datetime | None = None
    released_by: str | None = None
