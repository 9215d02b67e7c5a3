"""Reads one line of samples: bytes to a `Sample`, or why not. Imports put their candidates through the same checks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import IO, Any

from services.vitals.checks import LineRefused, check_device, check_patient, check_times, rule_for, zone_minutes
from services.vitals.domain import Sample
from shared.errors import FieldProblem
from shared.intake import NotStrictJson, strict_json

FIELDS = frozenset({"patient", "code", "value", "unit", "effective", "device", "sent"})
REQUIRED = ("patient", "code", "value", "unit", "effective")
MAX_LINE_BYTES = 8192
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
        raise LineRefused(printable(name), "is not a field of a sample", "leave this field out")
    return document


def check_sample(document: Mapping[str, Any], now: datetime) -> Sample:
    """The sample that these members describe, wherever they come from. Raises: LineRefused."""
    patient, device = _text(document, "patient"), _device(document)
    code, unit = _text(document, "code"), _text(document, "unit")
    patient = check_patient(patient)
    rule = rule_for(code, unit)
    sent = _number(document)
    value = rule.canonical(sent)
    text = _text(document, "effective")
    effective, shown = check_times(text, _sent(document), now)
    as_sent = (rule.sent_code, sent, rule.sent_unit)
    return Sample(patient, rule.code, value, rule.unit, effective, device, *as_sent, zone_minutes(text[-6:]), shown)


def _text(document: Mapping[str, Any], field: str) -> str:
    value = document.get(field)
    if type(value) is str:
        return value
    if field not in document:
        raise LineRefused(field, "is missing", "send this field")
    raise LineRefused(field, f"is {_KIND[type(value)]}, not a string", "send a JSON string")


def _device(document: Mapping[str, Any]) -> str:
    return "" if document.get("device") is None else check_device(_text(document, "device"))


def _sent(document: Mapping[str, Any]) -> str | None:
    return None if document.get("sent") is None else _text(document, "sent")


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


def printable(name: str) -> str:
    """A name that the sender chose, if it can be told."""
    return name if len(name) <= 32 and name.isascii() and name.isprintable() else "(unprintable)"
