"""Marks what a body cannot have and what a sensor makes up. What is marked is kept: nothing is deleted here.

Marks follow from the samples beside one another, so they are worked out whenever samples are read, and a late sample
may change them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import StrEnum

from services.vitals.domain import Point
from services.vitals.signs import SIGN_OF
from services.vitals.sources import SourceRules
from shared.codes import DIASTOLIC_BLOOD_PRESSURE, HEART_RATE, NEVER_ZERO, SYSTOLIC_BLOOD_PRESSURE


class Flag(StrEnum):
    """What is doubtful about a sample."""

    OUT_OF_RANGE = "out-of-range"
    """Outside of what a body can have (`VitalSign.low`, `high`): a wrong unit, a slipped digit."""
    NO_SIGNAL = "no-signal"
    """A zero where a living body has none: the sensor is off."""
    SPIKE = "spike"
    """One reading far from the one before and the one after."""
    FLAT_LINE = "flat-line"
    """The very same heart rate for half an hour: a sensor that hangs, or a pacemaker."""
    OVERLAPPED = "overlapped"
    """A better source measured the same at that time."""


NO_EVIDENCE = frozenset({Flag.OUT_OF_RANGE, Flag.NO_SIGNAL, Flag.OVERLAPPED})
"""What a diagnosis is not given. Spikes and flat lines may be true; it is given them, and told how many they are."""

SPIKES = {SYSTOLIC_BLOOD_PRESSURE.code: 40.0, DIASTOLIC_BLOOD_PRESSURE.code: 40.0, HEART_RATE.code: 40.0}
"""A change by so much there and back. For systolic pressure by Salmasi et al., Anesthesiology 126:47 (2017), which
takes such readings for artefacts; for the other two the same number is this service's own choice."""
SPIKE_WITHIN = timedelta(minutes=2)
FLAT_FOR = timedelta(minutes=30)
FLAT_READINGS = 30

Flags = tuple[Flag, ...]


def flags_of(points: Sequence[Point], rules: SourceRules) -> list[Flags]:
    """The marks of each of these samples, which are those of one patient, oldest first."""
    found = [_of_value(point) for point in points]
    # What a body cannot have overrules nobody.
    possible = [index for index, flags in enumerate(found) if not flags]
    for place in rules.overlapped([points[index] for index in possible]):
        found[possible[place]] = (Flag.OVERLAPPED,)
    series = defaultdict[tuple[str, str], list[int]](list)
    for index, point in enumerate(points):
        if not found[index] or found[index] == (Flag.OVERLAPPED,):
            series[point.code, point.device].append(index)
    for (code, _), indices in series.items():
        if code in SPIKES:
            for index in _spikes(points, indices, SPIKES[code]):
                found[index] = (*found[index], Flag.SPIKE)
        if code == HEART_RATE.code:
            for index in _flat(points, indices):
                found[index] = (*found[index], Flag.FLAT_LINE)
    return found


def _of_value(point: Point) -> Flags:
    sign = SIGN_OF[point.code]
    if not sign.low <= point.value <= sign.high:
        return (Flag.OUT_OF_RANGE,)
    return (Flag.NO_SIGNAL,) if point.value == 0 and point.code in NEVER_ZERO else ()


def _spikes(points: Sequence[Point], indices: Sequence[int], least: float) -> Iterator[int]:
    for before, index, after in zip(indices, indices[1:], indices[2:], strict=False):
        up, down = points[index].value - points[before].value, points[index].value - points[after].value
        if min(abs(up), abs(down)) < least or up * down < 0:
            continue
        if points[after].effective - points[before].effective <= 2 * SPIKE_WITHIN:
            yield index


def _flat(points: Sequence[Point], indices: Sequence[int]) -> Iterator[int]:
    start = 0
    for place in range(1, len(indices) + 1):
        if place < len(indices) and points[indices[place]].value == points[indices[start]].value:
            continue
        run = indices[start:place]
        if len(run) >= FLAT_READINGS and points[run[-1]].effective - points[run[0]].effective >= FLAT_FOR:
            yield from run
        start = place


def evidence_of(points: Sequence[Point], rules: SourceRules) -> tuple[list[Point], dict[str, int]]:
    """The samples that a diagnosis is given, and how many of all have each mark."""
    flags = flags_of(points, rules)
    kept = [point for point, marks in zip(points, flags, strict=True) if NO_EVIDENCE.isdisjoint(marks)]
    return kept, dict(sorted(Counter(flag.value for marks in flags for flag in marks).items()))
