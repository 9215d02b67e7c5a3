"""Observation -> readings of vital signs in canonical units, or why there are none."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.hospital.elements import instant, items, loinc_codes, part
from services.diagnosis.datasets.hospital.export import Json, Resource
from shared.codes import VITAL_SIGNS, VitalSign

STANDING = frozenset({"final", "amended", "corrected", "preliminary"})
SIGNS = {code: sign for sign in VITAL_SIGNS for code in (sign.coding.code, *sign.aliases)}
DECIMALS = 9
"""Kept after a conversion: 98.6 [degF] is 37 Cel."""
_ANNOTATION = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class Reading:
    """One value in the canonical unit, at a time in seconds since 1970."""

    at: float
    code: str
    value: float


@dataclass
class Units:
    """Tells one stray unit from a whole export in the wrong one."""

    taken: set[str] = field(default_factory=set)
    refused: dict[str, Place] = field(default_factory=dict)
    """LOINC code -> where its first unknown unit stands."""

    def check(self) -> None:
        """Raises: DatasetError: not one reading of a vital sign had a known unit."""
        for code, place in self.refused.items():
            if code not in self.taken:
                sign = SIGNS[code]
                known = ", ".join((sign.unit, *(unit for unit, _, _ in sign.factors)))
                problem = f"No reading of {code} ({sign.coding.display.lower()}) has a unit that is known."
                raise DatasetError(place, problem, f"Export valueQuantity.code as one of {known} (UCUM).")


def readings_of(observation: Resource, units: Units) -> Iterator[Reading | str]:
    """Each reading of an Observation and its components, or why one is left out.

    Raises: DatasetError: a time or a value that is none.
    """
    content, place = observation.content, observation.place
    parts = [content, *items(content.get("component"))]
    signs = [(_sign(piece), piece) for piece in parts]
    found = [(sign, piece) for sign, piece in signs if sign is not None]
    if not found:
        yield "Observation of no vital sign"
    elif content.get("status") not in STANDING:
        yield "Observation that does not stand"
    else:
        at = _effective(place, content)
        for (code, sign), piece in found:
            yield "vital sign without a time of day" if at is None else _reading(place, at, code, sign, piece, units)


def _sign(piece: Json) -> tuple[str, VitalSign] | None:
    return next(((code, SIGNS[code]) for code in loinc_codes(piece.get("code")) if code in SIGNS), None)


def _effective(place: Place, content: Json) -> float | None:
    """Of a period, its end: that is when the reading was complete."""
    given = content.get("effectiveDateTime") or content.get("effectiveInstant")
    given = given or part(content, "effectivePeriod", "end")
    return instant(place, "Observation.effectiveDateTime", given)


def _reading(place: Place, at: float, code: str, sign: VitalSign, piece: Json, units: Units) -> Reading | str:
    quantity = piece.get("valueQuantity")
    value = part(quantity, "value")
    if value is None or part(quantity, "comparator"):
        return "vital sign without a measured value"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise DatasetError(place, "valueQuantity.value is not a number.", "Export it as a JSON number.")
    factors = _factors(sign, str(part(quantity, "code") or part(quantity, "unit") or ""))
    if factors is None:
        units.refused.setdefault(code, place)
        return "vital sign in a unit that is not known"
    units.taken.add(code)
    canonical = round(factors[0] * value + factors[1], DECIMALS)
    if not sign.low <= canonical <= sign.high:
        return "vital sign that no living person shows"
    return Reading(at, sign.coding.code, canonical)


def _factors(sign: VitalSign, unit: str) -> tuple[float, float] | None:
    """(a, b) with canonical = a · value + b; what stands in braces is a remark (UCUM section 12)."""
    known = {other: (a, b) for other, a, b in sign.factors} | {sign.unit: (1.0, 0.0)}
    return known.get(unit) or known.get(_ANNOTATION.sub("", unit) or "1")
