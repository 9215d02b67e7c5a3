"""Which of several sources is believed where they measured the same at the same time."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from services.vitals.domain import Point
from shared.codes import (
    BODY_TEMPERATURE,
    DIASTOLIC_BLOOD_PRESSURE,
    HEART_RATE,
    HEART_RATE_VARIABILITY,
    OXYGEN_SATURATION,
    RESPIRATORY_RATE,
    STEPS,
    SYSTOLIC_BLOOD_PRESSURE,
)

Words = Mapping[str, tuple[str, ...]]
KINDS: Words = {
    "chest-strap": ("strap", "heart rate monitor", "hrm", "polar h", "tickr"),
    "cuff": ("cuff", "blood pressure", "omron", "bpm connect"),
    "oximeter": ("oximeter", "nonin", "masimo"),
    "bedside-monitor": ("monitor", "bedside", "intellivue", "carescape"),
    "watch": ("watch", "fitbit", "garmin", "vivo", "forerunner", "fenix", "whoop", "oura"),
    "phone": ("phone", "android", "pixel", "galaxy"),
}
"""Kind -> words in the name of a device by which it is known; the first kind with a word counts."""
_PRESSURE = ("bedside-monitor", "cuff", "watch", "phone")
PRIORITY: Words = {
    HEART_RATE.code: ("bedside-monitor", "chest-strap", "oximeter", "watch", "phone"),
    RESPIRATORY_RATE.code: ("bedside-monitor", "chest-strap", "watch", "phone"),
    OXYGEN_SATURATION.code: ("bedside-monitor", "oximeter", "watch", "phone"),
    BODY_TEMPERATURE.code: ("bedside-monitor", "watch", "phone"),
    SYSTOLIC_BLOOD_PRESSURE.code: _PRESSURE,
    DIASTOLIC_BLOOD_PRESSURE.code: _PRESSURE,
    HEART_RATE_VARIABILITY.code: ("chest-strap", "watch", "phone"),
    STEPS.code: ("watch", "phone"),
}
"""LOINC code -> kinds, best first. A device of no kind listed is believed beside all others."""
SAME_TIME = timedelta(seconds=60)
SAME_TIME_OF_STEPS = timedelta(minutes=15)
"""Steps are counted over minutes, and devices begin to count at different ones."""
_ADDRESS = re.compile(r"^<?<HKDevice: 0x[0-9a-f]+>,? ?", re.IGNORECASE)
_VERSION = re.compile(r"(?:^|, )(?:software|firmware|creation date):[^,>]*")


def device_name(text: str) -> str:
    """One name for one device: without HealthKit's address in the exporting phone's memory, versions and dates."""
    return _VERSION.sub("", _ADDRESS.sub("", text)).removesuffix(">")


@dataclass(frozen=True)
class SourceRules:
    """Which words make which kind of device, and which kind comes first."""

    kinds: Words = field(default_factory=lambda: KINDS)
    priority: Words = field(default_factory=lambda: PRIORITY)

    def overlapped(self, points: Sequence[Point]) -> Iterator[int]:
        """Positions of samples beside which a better source measured the same; samples are oldest first."""
        ranked = defaultdict[str, dict[int, list[int]]](lambda: defaultdict(list))
        rank = lru_cache(maxsize=None)(self._rank)
        for index, point in enumerate(points):
            if (place := rank(point.code, point.device)) is not None:
                ranked[point.code][place].append(index)
        for code, by_rank in ranked.items():
            within = SAME_TIME_OF_STEPS if code == STEPS.code else SAME_TIME
            better: list[int] = []
            for place in sorted(by_rank):
                times = [points[index].effective for index in better]
                found = by_rank[place]
                yield from (index for index in found if _near(times, points[index], within))
                better = sorted([*better, *found])

    def _rank(self, code: str, device: str) -> int | None:
        order = self.priority.get(code, ())
        name = device.lower()
        kind = next((kind for kind, words in self.kinds.items() if any(word in name for word in words)), None)
        return order.index(kind) if kind in order else None


def _near(times: Sequence[datetime], point: Point, within: timedelta) -> bool:
    place = bisect_left(times, point.effective - within)
    return place < len(times) and times[place] <= point.effective + within
