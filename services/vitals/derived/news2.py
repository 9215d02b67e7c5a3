"""The National Early Warning Score 2, with what is missing left open instead of assumed.

Royal College of Physicians: National Early Warning Score (NEWS) 2, London 2017, chart 1 (scoring) and chart 2
(thresholds). For people of 16 and over who are not pregnant.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import timedelta

from services.vitals.derived.domain import Consciousness, Derived, Evidence, Formula, Stated
from services.vitals.domain import Point
from services.vitals.signs import GLASGOW_COMA_SCORE, OXYGEN_FLOW
from shared.codes import (
    BODY_TEMPERATURE,
    HEART_RATE,
    OXYGEN_SATURATION,
    RESPIRATORY_RATE,
    SYSTOLIC_BLOOD_PRESSURE,
)

SOURCE = "Royal College of Physicians, National Early Warning Score (NEWS) 2, London 2017"
WORDS = "sum of seven parts, each 0 to 3 by the chart; the newest sample of each within 60 minutes"
WITHIN = timedelta(minutes=60)
"""How old an input may be. The chart does not say; this is the service's own choice."""

Steps = tuple[tuple[float, ...], tuple[int, ...]]
"""(first values of the next step, points of each step)"""
_RESPIRATION: Steps = ((9, 12, 21, 25), (3, 1, 0, 2, 3))
_SATURATION: Steps = ((92, 94, 96), (3, 2, 1, 0))
_SATURATION_2_ON_AIR: Steps = ((84, 86, 88), (3, 2, 1, 0))
_SATURATION_2_ON_OXYGEN: Steps = ((84, 86, 88, 93, 95, 97), (3, 2, 1, 0, 1, 2, 3))
_PRESSURE: Steps = ((91, 101, 111, 220), (3, 2, 1, 0, 3))
_PULSE: Steps = ((41, 51, 91, 111, 131), (3, 1, 0, 1, 2, 3))
_TEMPERATURE: Steps = ((35.1, 36.1, 38.1, 39.1), (3, 1, 0, 1, 2))
_SIMPLE = {
    "respiration": (RESPIRATORY_RATE.code, _RESPIRATION, 0),
    "systolicPressure": (SYSTOLIC_BLOOD_PRESSURE.code, _PRESSURE, 0),
    "pulse": (HEART_RATE.code, _PULSE, 0),
    "temperature": (BODY_TEMPERATURE.code, _TEMPERATURE, 1),
}
"""Part -> code, steps, and decimals of the chart."""
_FULL_SCORE = 15


def news2(evidence: Evidence, stated: Stated) -> Derived:
    """The score, or the range in which it must lie."""
    inputs: list[Point] = []
    parts: dict[str, int | None] = {}
    for name, (code, steps, decimals) in _SIMPLE.items():
        point = _newest(evidence, code, inputs)
        parts[name] = None if point is None else score(point.value, steps, decimals)
    parts["consciousness"] = _of_consciousness(evidence, stated, inputs)
    oxygen = _on_oxygen(evidence, stated, inputs)
    saturation = _newest(evidence, OXYGEN_SATURATION.code, inputs)
    low, high = _range(parts, saturation, oxygen, stated)
    parts["oxygen"] = None if oxygen is None else 2 * oxygen
    parts["saturation"] = _of_saturation(saturation, oxygen, stated)
    missing = tuple(name for name, points in parts.items() if points is None)
    return Derived(
        by=Formula("news2", "{score}", f"{WORDS}; saturation by scale {1 + stated.hypercapnic_target}", SOURCE),
        value=low if low == high else None,
        inputs=inputs,
        completeness=round((7 - len(missing)) / 7, 3),
        at_least=low,
        at_most=high,
        missing=missing,
        reason=None if low == high else f"not known: {', '.join(missing)}",
        parts=parts,
        risk=_risk(low, high, [points for points in parts.values() if points is not None], bool(missing)),
    )


def score(value: float, steps: Steps, decimals: int = 0) -> int:
    """Points of one value, rounded to the chart's decimals (halves up) first."""
    scale = 10**decimals
    return steps[1][bisect_right(steps[0], math.floor(value * scale + 0.5) / scale)]


def _newest(evidence: Evidence, code: str, inputs: list[Point]) -> Point | None:
    found = [point for point in evidence.of(code) if evidence.as_of - point.effective <= WITHIN]
    inputs.extend(found[-1:])
    return found[-1] if found else None


def _of_consciousness(evidence: Evidence, stated: Stated, inputs: list[Point]) -> int | None:
    if stated.consciousness is not None:
        return 0 if stated.consciousness is Consciousness.ALERT else 3
    coma = _newest(evidence, GLASGOW_COMA_SCORE.code, inputs)
    # The full score is alert and oriented; anything less is at least a new confusion.
    return None if coma is None else 0 if coma.value >= _FULL_SCORE else 3


def _on_oxygen(evidence: Evidence, stated: Stated, inputs: list[Point]) -> bool | None:
    if stated.supplemental_oxygen is not None:
        return stated.supplemental_oxygen
    flow = _newest(evidence, OXYGEN_FLOW.code, inputs)
    return None if flow is None else flow.value > 0


def _of_saturation(point: Point | None, oxygen: bool | None, stated: Stated) -> int | None:
    if point is None:
        return None
    if not stated.hypercapnic_target:
        return score(point.value, _SATURATION)
    on_air, on_oxygen = score(point.value, _SATURATION_2_ON_AIR), score(point.value, _SATURATION_2_ON_OXYGEN)
    if oxygen is None:
        return on_air if on_air == on_oxygen else None
    return on_oxygen if oxygen else on_air


def _range(
    parts: dict[str, int | None], saturation: Point | None, oxygen: bool | None, stated: Stated
) -> tuple[int, int]:
    """Least and largest score that what is known leaves open."""
    known = sum(points for points in parts.values() if points is not None)
    unknown = 3 * sum(points is None for points in parts.values())
    totals = []
    for on_oxygen in (False, True) if oxygen is None else (oxygen,):
        points = _of_saturation(saturation, on_oxygen, stated)
        totals += [
            known + 2 * on_oxygen + (points or 0),
            known + unknown + 2 * on_oxygen + (3 if points is None else points),
        ]
    return min(totals), max(totals)


def _risk(low: int, high: int, known: Sequence[int], open_: bool) -> str | None:
    """Chart 2's word where it is the same at both ends of the range."""
    words = {_word(low, 3 in known), _word(high, 3 in known or open_)}
    return words.pop() if len(words) == 1 else None


def _word(total: int, red: bool) -> str:
    if total >= 7:
        return "high"
    if total >= 5:
        return "medium"
    return "low-medium" if red else "low"
