"""From the code and unit a sender uses to the canonical ones: LOINC aliases, UCUM units, factors.

Units that devices send come from the table in `shared.codes`; every other UCUM code of the same quantity from the
library. A test holds each entry of the table against the library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.vitals import ucum
from services.vitals.signs import SIGNS
from shared.codes import VitalSign
from shared.errors import FieldProblem

DECIMALS = 9
"""Digits kept after a conversion: 98.6 [degF] is 37 Cel, not 37.00000000000001, and so a duplicate of it."""
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
SPELLINGS = {
    "bpm": "/min",
    "beats/min": "/min",
    "beats/minute": "/min",
    "breaths/min": "/min",
    "brpm": "/min",
    "rpm": "/min",
    "count/min": "/min",
    "percent": "%",
    "pct": "%",
    "mmhg": "mm[Hg]",
    "mm hg": "mm[Hg]",
    "mm[hg]": "mm[Hg]",
    "c": "Cel",
    "°c": "Cel",
    "degc": "Cel",
    "celsius": "Cel",
    "cel": "Cel",
    "f": "[degF]",
    "°f": "[degF]",
    "degf": "[degF]",
    "fahrenheit": "[degF]",
    "[degf]": "[degF]",
    "count": "{steps}",
    "steps": "{steps}",
    "step": "{steps}",
    "msec": "ms",
    "sec": "s",
}
"""Spellings that devices use -> the UCUM code they mean. They are told, not taken: `[c]` in UCUM is a velocity."""


@dataclass(frozen=True)
class Conversion:
    """canonical = factor · value + offset."""

    sign: VitalSign
    factor: float
    offset: float

    def apply(self, value: float) -> float:
        """A value in the canonical unit."""
        if self.factor == 1 and self.offset == 0:
            return value + 0.0
        return round(self.factor * value + self.offset, DECIMALS) + 0.0  # + 0.0: there is one zero


def _units_of(sign: VitalSign) -> dict[str, Conversion]:
    others = {unit: Conversion(sign, factor, offset) for unit, factor, offset in sign.factors}
    return {**others, sign.unit: Conversion(sign, 1.0, 0.0)}


_BY_CODE = {code: (sign, _units_of(sign)) for sign in SIGNS for code in (sign.coding.code, *sign.aliases)}
_ALL_UNITS = {unit for _, units in _BY_CODE.values() for unit in units}
_UNITIES = frozenset({"1", "%", "{steps}", "{score}"})
"""Canonical units without a dimension: a per cent of steps converts and means nothing, so only the table's count."""


def conversion_for(code: str, unit: str) -> Conversion | FieldProblem:
    """How values of a LOINC code in a UCUM unit become canonical, or why they cannot."""
    known = _BY_CODE.get(code)
    if known is None:
        return FieldProblem("code", "is no LOINC code of a vital sign known here", f"send one of {_codes()}")
    sign, units = known
    found = units.get(unit) or units.get(_without_annotations(unit)) or _by_library(sign, unit)
    return found or _unit_problem(sign, units, unit)


def _by_library(sign: VitalSign, unit: str) -> Conversion | None:
    if sign.unit in _UNITIES or unit.strip().lower() in SPELLINGS:
        return None
    found = ucum.affine(_without_annotations(unit), sign.unit)
    return Conversion(sign, *found) if found else None


def _without_annotations(unit: str) -> str:
    # What stands in braces is a remark without meaning (UCUM section 12); a unit of remarks alone is the unity.
    return _ANNOTATION.sub("", unit) or "1"


def _unit_problem(sign: VitalSign, units: dict[str, Conversion], unit: str) -> FieldProblem:
    meant = SPELLINGS.get(unit.strip().lower())
    if meant in units:
        return FieldProblem("unit", "is not a UCUM code", f"send {meant}")
    other = unit in _ALL_UNITS or (bare := _without_annotations(unit)) in _ALL_UNITS or ucum.is_ucum(bare)
    problem = f"does not measure {sign.coding.display.lower()}" if other else "is no UCUM code"
    return FieldProblem("unit", problem, f"send {' or '.join(sorted(units))}")


def _codes() -> str:
    return ", ".join(f"{sign.coding.code} ({sign.coding.display.lower()})" for sign in SIGNS)


def canonical_code(code: str) -> str | FieldProblem:
    """The code under which measurements of this code are stored."""
    known = _BY_CODE.get(code)
    return (
        known[0].coding.code if known else FieldProblem("code", "is no LOINC code of a vital sign known here", _codes())
    )
