"""What every door for evidence asks of a patient identifier, a time and a JSON document, in one wording."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.errors import FieldProblem

PATIENT_MAX = 64
"""Characters that DICOM's PatientID (value representation LO, PS3.5 section 6.2) holds."""
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Before it lie clocks that were never set (1970, 1980), not measurements of today's devices."""
CLOCK_SKEW = timedelta(hours=1)
"""How far ahead of ours a sender's clock may be."""
PROMPT = timedelta(minutes=10)
"""What comes within this time of the moment it tells of comes promptly; anything else is late."""
TIME_FIX = "send an RFC 3339 time with a zone, such as 2026-01-31T08:00:00Z"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?", re.ASCII)


class NotStrictJson(ValueError):
    """Bytes that RFC 8259 does not allow, or that two readers would read differently. The words never quote them."""


def patient_problem(patient: str) -> FieldProblem | None:
    """Why a text cannot be a patient identifier: it must fit into DICOM's PatientID and mean the same there."""
    if not patient.strip():
        return FieldProblem("patient", "is empty", "send the identifier that you use for the patient")
    if len(patient) > PATIENT_MAX:
        return FieldProblem(
            "patient", f"is longer than {PATIENT_MAX} characters", "send an identifier, not a description"
        )
    if patient != patient.strip():
        return FieldProblem("patient", "begins or ends with a space", "leave the surrounding spaces out")
    if "\\" in patient:
        return FieldProblem("patient", "holds a backslash, which separates values in DICOM", "leave the backslash out")
    if not patient.isascii() and any(unicodedata.category(c) in {"Cc", "Cs", "Cn", "Zl", "Zp"} for c in patient):
        return FieldProblem("patient", "holds characters that are not text", "send printable characters")
    if any(c < " " or c == "\x7f" for c in patient):
        return FieldProblem("patient", "holds control characters", "send printable characters")
    return None


def is_late(effective: datetime, received: datetime) -> bool:
    """Whether it was true of the patient so long before it came that a diagnosis may have been made without it.

    The log bears this word and no time of care: its leaves are public.
    """
    return received - effective > PROMPT


def parse_time(field: str, text: str) -> datetime | FieldProblem:
    """An RFC 3339 time as aware UTC, whenever that is, or why it is none."""
    if not _RFC3339.fullmatch(text):
        problem = "has no zone" if _NAIVE.fullmatch(text) else "is no RFC 3339 time"
        return FieldProblem(field, problem, TIME_FIX)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return FieldProblem(field, "is no time that the calendar has", TIME_FIX)


def read_time(field: str, text: str, now: datetime) -> datetime | FieldProblem:
    """An RFC 3339 time as aware UTC, or why it is none, or none that a measurement or note can have."""
    moment = parse_time(field, text)
    if isinstance(moment, FieldProblem):
        return moment
    if moment < EARLIEST:
        return FieldProblem(field, "lies before 1990", "set the sender's clock and send the true time")
    if moment > now + CLOCK_SKEW:
        return FieldProblem(
            field, "lies more than an hour in the future", "set the sender's clock and send the true time"
        )
    return moment


def strict_json(content: bytes) -> Any:
    """A JSON document, read so that no two readers could differ: UTF-8, no NaN or Infinity, no repeated names.

    Raises: NotStrictJson.
    """
    try:
        return _STRICT.decode(content.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise NotStrictJson(f"is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise NotStrictJson(f"is not JSON ({error.msg}, line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise NotStrictJson("is nested too deeply") from None
    except NotStrictJson:
        raise
    except ValueError:
        raise NotStrictJson("holds a number that is too long") from None


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrictJson("names a member of an object twice")
    return found


def _no_constant(_: str) -> Any:
    raise NotStrictJson("holds NaN or Infinity, which JSON does not have")


_STRICT = json.JSONDecoder(object_pairs_hook=_unique_names, parse_constant=_no_constant)
