"""Resting heart rate, and heart rate variability from beat-to-beat intervals."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median, stdev

from services.vitals.derived.domain import Derived, Evidence, Formula
from services.vitals.domain import Point
from services.vitals.signs import RR_INTERVAL
from shared.codes import HEART_RATE, STEPS

STILL_FOR = timedelta(minutes=12)
DAY = timedelta(hours=24)
RESTING = Formula(
    name="restingHeartRate",
    unit="/min",
    words="median of the heart rates of the last 24 hours before which no step was counted for 12 minutes",
    source="stillness as in Mishra et al., Nature Biomedical Engineering 4:1208 (2020); the median is our own",
)
SHORT_TERM = timedelta(minutes=5)
NN_MS = (300.0, 2000.0)
"""Shorter or longer is no interval between two sinus beats: 200 and 30 a minute."""
ECTOPIC = 0.2
SLACK = timedelta(seconds=1)
"""By so much more than its interval a beat may follow the one before: many devices stamp whole seconds."""
_TASK_FORCE = "Task Force of the ESC and NASPE, Circulation 93:1043 (1996), short-term recording"
_NORMAL = "intervals of 300 to 2000 ms that differ by at most a fifth from the one before"
RMSSD = Formula(
    name="rmssd",
    unit="ms",
    words=f"root of the mean squared difference of successive intervals over 5 minutes; {_NORMAL}",
    source=_TASK_FORCE,
)
SDNN = Formula(
    name="sdnn",
    unit="ms",
    words=f"standard deviation (n - 1) of intervals over 5 minutes; {_NORMAL}",
    source=_TASK_FORCE,
)


def resting_heart_rate(evidence: Evidence) -> Derived:
    """Needs steps: without a device that counts them, rest cannot be told from exercise."""
    since = evidence.as_of - DAY
    rates = [point for point in evidence.of(HEART_RATE.code) if point.effective >= since]
    steps = [point for point in evidence.of(STEPS.code) if point.effective >= since - STILL_FOR]
    missing = tuple(name for name, found in (("heart rate", rates), ("steps", steps)) if not found)
    moved = [point.effective for point in steps if point.value > 0]
    still = [] if missing else [rate for rate in rates if _is_still(rate, moved)]
    if not still:
        reason = f"not known: {', '.join(missing)}" if missing else "no heart rate after 12 minutes without a step"
        return Derived(RESTING, value=None, inputs=(), completeness=0.0, missing=missing, reason=reason)
    hours = {int((evidence.as_of - rate.effective) / timedelta(hours=1)) for rate in still}
    value = median(rate.value for rate in still)
    return Derived(RESTING, value=value, inputs=[*still, *steps], completeness=round(min(len(hours) / 24, 1.0), 3))


def _is_still(rate: Point, moved: Sequence[datetime]) -> bool:
    place = bisect_right(moved, rate.effective)
    return place == 0 or rate.effective - moved[place - 1] > STILL_FOR


def variability(evidence: Evidence) -> tuple[Derived, Derived]:
    """RMSSD and SDNN of the last five minutes with intervals, of the one device that sent the newest."""
    intervals = evidence.of(RR_INTERVAL.code)
    if not intervals:
        seen = "; heart rates are averages and do not hold it" if evidence.of(HEART_RATE.code) else ""
        return _without(f"no beat-to-beat interval (8637-1){seen}", ("R-R intervals",))
    last = intervals[-1]
    found = [p for p in intervals if p.device == last.device and last.effective - p.effective < SHORT_TERM]
    if len({point.effective for point in found}) < len(found):
        return _without("several intervals share a time, so their order is not known", ())
    normal, pairs = _normal(found)
    if len(normal) < 2 or not pairs:
        return _without("fewer than two normal intervals in succession", ())
    covered = round(min(sum(p.value for p in normal) / 1000 / SHORT_TERM.total_seconds(), 1.0), 3)
    rmssd = math.sqrt(sum((b - a) ** 2 for a, b in pairs) / len(pairs))
    sdnn = stdev(point.value for point in normal)
    return (
        Derived(RMSSD, value=rmssd, inputs=normal, completeness=covered),
        Derived(SDNN, value=sdnn, inputs=normal, completeness=covered),
    )


def _normal(found: Sequence[Point]) -> tuple[list[Point], list[tuple[float, float]]]:
    """Normal intervals, and those pairs of them that follow each other without a gap."""
    normal: list[Point] = []
    pairs: list[tuple[float, float]] = []
    before: Point | None = None
    for point in found:
        fits = NN_MS[0] <= point.value <= NN_MS[1]
        if before is not None and fits:
            next_to = point.effective - before.effective <= timedelta(milliseconds=point.value) + SLACK
            fits = not next_to or abs(point.value - before.value) <= ECTOPIC * before.value
            if fits and next_to and normal and normal[-1] is before:
                pairs.append((before.value, point.value))
        if fits:
            normal.append(point)
        before = point
    return normal, pairs


def _without(reason: str, missing: tuple[str, ...]) -> tuple[Derived, Derived]:
    return (
        Derived(RMSSD, None, (), 0.0, missing=missing, reason=reason),
        Derived(SDNN, None, (), 0.0, missing=missing, reason=reason),
    )
