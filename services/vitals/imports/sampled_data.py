"""FHIR's SampledData: a series of values at equal distances in one string (R4 section 2.24.0.8)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from services.vitals.imports.items import Item, Refused, candidate, member
from services.vitals.units import DECIMALS
from shared.errors import FieldProblem
from shared.intake import TIME_FIX, read_time

_VALUE = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?", re.ASCII)
_WORD = re.compile(r"\S+")
_ANY_DAY = datetime(9000, 1, 1, tzinfo=UTC)
"""Whether a time lies ahead is asked of each sample, not of the first one."""
_WITHOUT_VALUE = {
    "E": "is E, no valid value",
    "U": "is U, above the detection limit",
    "L": "is L, below the detection limit",
}


def read_series(place: str, sampled: dict[str, Any], start: Any, **members: Any) -> Iterator[Item]:
    """A candidate for each value: origin + factor · value, `period` milliseconds apart, the first one at `start`."""
    problem = _form_problem(sampled)
    moment = read_time("effective", start if isinstance(start, str) else "", _ANY_DAY)
    if problem is not None or isinstance(moment, FieldProblem):
        yield Refused(
            place, problem or FieldProblem("effective", "of the first value is no time with a zone", TIME_FIX)
        )
        return
    origin, factor = sampled["origin"]["value"], sampled.get("factor", 1)
    for number, found in enumerate(_WORD.finditer(sampled["data"])):
        at, word = f"{place}/data, value {number + 1}", found.group()
        if not _VALUE.fullmatch(word):
            why = _WITHOUT_VALUE.get(word, "is neither a decimal nor E, U or L")
            yield Refused(at, FieldProblem("value", why, "send decimals; nothing was measured where it is E, U or L"))
            continue
        try:
            effective = moment + timedelta(milliseconds=number * sampled["period"])
        except OverflowError:
            yield Refused(at, FieldProblem("effective", "lies beyond the calendar", "check the period"))
            return
        # Rounded as a conversion is: 0.1 · 971 is 97.1, and so a duplicate of it.
        value = round(origin + factor * float(word), DECIMALS)
        yield candidate(at, value=value, effective=effective.isoformat(), **members)


def _form_problem(sampled: dict[str, Any]) -> FieldProblem | None:
    if not _is_number(member(sampled, "origin", "value")):
        return FieldProblem("valueSampledData.origin.value", "is missing or no number", "send the zero of the series")
    if not _is_number(sampled.get("period")) or sampled["period"] <= 0:
        return FieldProblem("valueSampledData.period", "is missing or not above zero", "send the milliseconds between")
    if not _is_number(sampled.get("factor", 1)):
        return FieldProblem("valueSampledData.factor", "is no number", "send a number or leave it out")
    if sampled.get("dimensions") != 1:
        return FieldProblem("valueSampledData.dimensions", "is not 1", "send one series for each vital sign")
    if not isinstance(sampled.get("data"), str):
        return FieldProblem("valueSampledData.data", "is missing", "send the values, one space between them")
    return None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
