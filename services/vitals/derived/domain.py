"""What a derived value is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.vitals.domain import Point


class Consciousness(StrEnum):
    """Alert, new confusion, responds to voice, responds to pain, unresponsive (ACVPU)."""

    ALERT = "A"
    CONFUSION = "C"
    VOICE = "V"
    PAIN = "P"
    UNRESPONSIVE = "U"


@dataclass(frozen=True)
class Stated:
    """What no sample says, and the asker may: all of it may be unknown."""

    consciousness: Consciousness | None = None
    supplemental_oxygen: bool | None = None
    hypercapnic_target: bool = False
    """Saturation is meant to be 88 to 92 %, by the decision of a clinician: the score's second scale."""


@dataclass(frozen=True)
class Formula:
    """How a value comes about, and who says so."""

    name: str
    unit: str
    words: str
    source: str


@dataclass(frozen=True)
class Derived:
    """One derived value, or why there is none."""

    by: Formula
    value: float | None
    inputs: Sequence[Point]
    completeness: float
    """What there was of what the formula asks for, from 0 to 1."""
    at_least: float | None = None
    at_most: float | None = None
    """Between which bounds the value lies where inputs are missing."""
    missing: Sequence[str] = ()
    reason: str | None = None
    """Why there is no value."""
    parts: dict[str, int | None] = field(default_factory=dict)
    """What each input adds, where the value is a sum."""
    risk: str | None = None
    """The source's own word for the value, where all that is missing could not change it."""


@dataclass(frozen=True)
class Evidence:
    """The samples of a patient up to a time that are evidence, oldest first."""

    as_of: datetime
    points: Sequence[Point]

    def of(self, code: str) -> list[Point]:
        """Those of one code."""
        return [point for point in self.points if point.code == code]
