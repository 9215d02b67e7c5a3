"""What a measurement is to this service: plain frozen data and pure rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.errors import FieldProblem

WINDOW = timedelta(hours=72)
"""How far back a diagnosis looks."""


class Sample(NamedTuple):
    """One measurement that passed all checks. A tuple, because a body may bring half a million of them."""

    patient: str
    code: str
    """LOINC, canonical."""
    value: float
    """In the canonical unit of `code`."""
    unit: str
    """UCUM, canonical."""
    effective: datetime
    device: str
    """Empty where the sender names none."""
    sent_code: str
    sent_value: float
    sent_unit: str
    zone_minutes: int | None = None
    """What the sender's local time is ahead of UTC; None where the time was given in UTC."""
    sent: datetime | None = None
    """What the device's clock showed when it sent this."""
    corrected: datetime | None = None
    """The true time, where the device's clock was wrong."""


@dataclass(frozen=True)
class Rejection:
    """One line that is not stored, and why."""

    line: int
    """Counted from 1; blank lines count."""
    problem: FieldProblem


@dataclass(frozen=True)
class Batch:
    """What one request brought."""

    id: str
    digest: str
    """Of the body, byte by byte."""
    received_at: datetime
    """When its first byte came."""
    lines: int
    """Lines that are not blank."""
    samples: Mapping[str, Sequence[Sample]]
    """By patient, in the order sent."""
    rejected: Sequence[Rejection]
    corrections: Sequence[Sample] = ()
    """Those of the samples that stand in the place of others of the same time, code and device."""


@dataclass(frozen=True)
class Outcome:
    """What became of one batch."""

    accepted: int
    duplicates: int
    rejected: Sequence[Rejection]


class Point(NamedTuple):
    """One stored measurement, as it is given out."""

    code: str
    value: float
    unit: str
    effective: datetime
    """Corrected where the device's clock was wrong."""
    device: str
    device_time: datetime | None = None
    """What the device said, where that was corrected."""
    zone_minutes: int | None = None


@dataclass(frozen=True)
class Arrival:
    """Samples of one patient that came with one batch."""

    number: int
    """Rises with each commit of samples of this patient."""
    patient: str
    batch: int
    earliest: datetime
    latest: datetime
    received_at: datetime


@dataclass(frozen=True)
class Window:
    """The samples that a diagnosis looks at, frozen. Two windows with the same samples are one."""

    id: str
    digest: str
    """Of the uncompressed content."""
    blob: str
    """Address of the compressed content in the blob store."""
    patient: str
    start: datetime
    """Of the oldest sample."""
    end: datetime
    """Of the newest sample."""
    received_at: datetime
    """When the last of the samples came."""
    quality: Mapping[str, Any]


def quality_of(points: Sequence[Point], flagged: Mapping[str, int]) -> dict[str, Any]:
    """How much there is of what, how many measurements contradict one another, and how many of all had which mark.

    Conflicting are samples of one variable from one device at one time with different values. All are kept: which of
    them is right cannot be known here.
    """
    per_variable = Counter(point.code for point in points)
    at = Counter((point.code, point.effective, point.device) for point in points)
    return {
        "samples": len(points),
        "variables": len(per_variable),
        "perVariable": dict(sorted(per_variable.items())),
        "conflicting": sum(count for count in at.values() if count > 1),
        "flagged": dict(flagged),
        "corrected": sum(point.device_time is not None for point in points),
    }


def thin_out(points: Sequence[Point], limit: int) -> list[Point]:
    """At most about `limit` points that draw the same picture: per variable and time bucket the lowest and highest.

    Extremes survive, which is what a clinician looks for; means would smooth a short desaturation away.
    """
    codes = {point.code for point in points}
    buckets = max(limit // (2 * max(len(codes), 1)), 1)
    start, end = points[0].effective, points[-1].effective
    width = max((end - start) / buckets, timedelta(microseconds=1))
    extremes: dict[tuple[str, int], tuple[Point, Point]] = {}
    for point in points:
        key = point.code, min(int((point.effective - start) / width), buckets - 1)
        low, high = extremes.get(key, (point, point))
        extremes[key] = (point if point.value < low.value else low, point if point.value > high.value else high)
    return in_order({point for pair in extremes.values() for point in pair})


def in_order(points: Iterable[Point]) -> list[Point]:
    """Points oldest first; those of one time in an order of their own that is always the same."""
    return sorted(points, key=lambda point: (point.effective, point.code, point.device, point.value))
