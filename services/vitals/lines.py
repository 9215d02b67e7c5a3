"""Reads one line of samples: bytes to a `Sample`, or why not. Imports put their candidates through the same checks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from sys import intern
from typing import IO, Any

from services.vitals.domain import Sample
from services.vitals.signs import possible_range
from services.vitals.sources import device_name
from services.vitals.units import Conversion, conversion_for
from shared.errors import FieldProblem
from shared.intake import (
    CLOCK_SKEW,
    EARLIEST,
    TIME_FIX,
    NotStrictJson,
    parse_time,
    patient_problem,
    read_time,
    strict_json,
)

FIELDS = frozenset({"patient", "code", "value", "unit", "effective", "device", "sent"})
REQUIRED = ("patient", "code", "value", "unit", "effective")
MAX_LINE_BYTES = 8192
MAX_DEVICE = 128
MAX_UNIT = 64
TOO_LONG = FieldProblem("line", f"is longer than {MAX_LINE_BYTES} bytes", "send one sample a line")
_KIND = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


class LineRefused(ValueError):
    """A line that is no sample."""

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.problem = FieldProblem(field, problem, fix)


def numbered_lines(source: IO[bytes], most: int) -> Iterator[tuple[int, bytes]]:
    """All lines, counted from 1. One longer than `most` bytes is cut, and still longer than that."""
    number = 0
    while line := source.readline(most + 1):
        number += 1
        rest = line
        while len(rest) > most and not rest.endswith(b"\n"):
            # Skip to the end of a line that is too long, without holding it.
            rest = source.readline(most + 1)
        yield number, line


def read_line(line: bytes, now: datetime) -> Sample:
    """The sample in a line of NDJSON. Raises: LineRefused."""
    return check_sample(read_document(line), now)


def read_document(line: bytes) -> dict[str, Any]:
    """The JSON object in a line, with no other members than those of a sample. Raises: LineRefused."""
    try:
        document = strict_json(line)
    except NotStrictJson as error:
        # Only a value is ever a number, so that is where NaN stands.
        field = "value" if "NaN" in str(error) else "line"
        raise LineRefused(field, str(error), "send one JSON object (RFC 8259) a line, in UTF-8") from None
    if not isinstance(document, dict):
        raise LineRefused("line", f"is {_KIND[type(document)]}, not an object", "send one JSON object a line")
    if not document.keys() <= FIELDS:
        name = min(document.keys() - FIELDS)
        raise LineRefused(_printable(name), "is not a field of a sample", "leave this field out")
    return document


def check_sample(document: Mapping[str, Any], now: datetime) -> Sample:
    """The sample that these members describe, wherever they come from. Raises: LineRefused."""
    patient, device = intern(_text(document, "patient")), _device(document)
    code, unit = _text(document, "code"), _text(document, "unit")
    _refuse_if(_patient_problem(patient))
    if len(unit) > MAX_UNIT:
        raise LineRefused("unit", f"is longer than {MAX_UNIT} characters", "send a UCUM code without remarks")
    conversion = _conversion(code, unit)
    if isinstance(conversion, FieldProblem):
        raise LineRefused(conversion.field, conversion.problem, conversion.fix)
    sent = _number(document)
    value = _possible(conversion, sent)
    effective, shown = _times(document, now)
    zone, sign = zone_minutes(document["effective"][-6:]), conversion.sign
    as_sent = (intern(code), sent, intern(unit))
    return Sample(patient, sign.coding.code, value, sign.unit, effective, device, *as_sent, zone, shown)


def _times(document: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime | None]:
    """When it was measured and when it was sent, both by the device's clock. Raises: LineRefused."""
    text = _text(document, "effective")
    if document.get("sent") is None:
        return _moment(read_time("effective", text, now)), None
    shown, effective = (_moment(parse_time(name, _text(document, name))) for name in ("sent", "effective"))
    if effective > shown + CLOCK_SKEW:
        raise LineRefused("effective", "lies more than an hour after `sent`", "send both by the same clock")
    try:
        aged = effective + (now - shown)
    except OverflowError:
        aged = datetime.min.replace(tzinfo=UTC)
    if aged < EARLIEST:
        raise LineRefused("effective", "lies before 1990, by the age it had when it was sent", TIME_FIX)
    return effective, shown


def _moment(found: datetime | FieldProblem) -> datetime:
    if isinstance(found, FieldProblem):
        fix = found.fix if found.fix == TIME_FIX else f"{found.fix}, or add what it shows now as `sent`"
        raise LineRefused(found.field, found.problem, fix)
    return found


@lru_cache(maxsize=1024)
def zone_minutes(end: str) -> int | None:
    """Minutes that the zone at the end of a time is ahead of UTC; None for `Z` and `-00:00`, which name no place
    (RFC 9557, section 2)."""
    if end[-1] in "Zz" or end == "-00:00":
        return None
    minutes = int(end[-5:-3]) * 60 + int(end[-2:])
    return -minutes if end[0] == "-" else minutes


_patient_problem = lru_cache(maxsize=1024)(patient_problem)
_conversion = lru_cache(maxsize=1024)(conversion_for)


def _refuse_if(problem: FieldProblem | None) -> None:
    if problem is not None:
        raise LineRefused(problem.field, problem.problem, problem.fix)


def _text(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field)
    if type(value) is str:
        return value
    if field not in document:
        raise LineRefused(field, "is missing", "send this field")
    raise LineRefused(field, f"is {_KIND[type(value)]}, not a string", "send a JSON string")


def _device(document: Mapping[str, Any]) -> str:
    if document.get("device") is None:
        return ""
    device = _text(document, "device")
    if "HKDevice" in device:
        device = device_name(device)
    if len(device) > MAX_DEVICE or not (device.isprintable() and device.strip()):
        problem = f"is empty, longer than {MAX_DEVICE} characters, or not printable"
        raise LineRefused("device", problem, "send a short identifier of the device, or leave it out")
    return intern(device)


def _number(document: Mapping[str, Any]) -> float:
    value = document.get("value")
    if type(value) not in (int, float):
        if "value" not in document:
            raise LineRefused("value", "is missing", "send this field")
        raise LineRefused("value", f"is {_KIND[type(value)]}, not a number", "send a JSON number")
    try:
        number = float(value)  # type: ignore[arg-type]  # int or float, as just checked
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise LineRefused("value", "is too large for any measurement", "send the measured value")
    return number


def _possible(conversion: Conversion, sent: float) -> float:
    """The canonical value. What a body cannot have is marked later; what cannot be at all is refused here."""
    value, sign = conversion.apply(sent), conversion.sign
    low, high = possible_range(sign.coding.code)
    if not low <= value <= high or math.isinf(value):
        above = "" if math.isinf(high) else f" or above {high:g}"
        problem = f"is below {low:g}{above} {sign.unit}, which cannot be by definition"
        raise LineRefused("value", problem, "check value and unit; send nothing where nothing was measured")
    if sign.unit == "%" and conversion.factor == 1 and 0 < value <= 1:
        raise LineRefused("value", "is a fraction under the unit of a percentage", "send 97 with %, or 0.97 with 1")
    return value


def _printable(name: str) -> str:
    return name if len(name) <= 32 and name.isascii() and name.isprintable() else "(unprintable)"
