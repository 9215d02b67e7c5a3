"""Tells what a file is from its content. What the client calls it is not asked."""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from typing import Any

import ijson

from services.vitals.imports.apple import ROOT
from services.vitals.imports.json_records import BUNDLE, DOCUMENT, LINES, LIST
from services.vitals.imports.open_mhealth import MEASURES
from services.vitals.lines import REQUIRED
from shared.intake import NotStrictJson, strict_json

HEAD_BYTES = 2**20
"""So much of a file tells what it is."""
FHIR, OPEN_MHEALTH, FITBIT, FIT, APPLE_ZIP, APPLE_XML, SAMPLES, PARQUET = (
    "fhir",
    "open-mhealth",
    "fitbit",
    "fit",
    "apple-health-zip",
    "apple-health-xml",
    "samples",
    "parquet",
)
TAKEN = (
    "FHIR R4 Observations (JSON, Bundle, NDJSON), Open mHealth or IEEE 1752.1 JSON, Fitbit heart rate JSON, "
    "Garmin FIT, Apple Health export.zip or export.xml, Parquet, or the NDJSON of POST /vitals/samples"
)
_BODIES = frozenset(MEASURES) | {
    "effective_time_frame",
    "activity_name",
    "body_weight",
    "quantity_type",
    "sleep_duration",
}
"""Members by which the body of a data point is known when it has no header."""


@dataclass(frozen=True)
class Format:
    """What a file is, and how its records lie in it."""

    kind: str
    layout: str = ""


def detect(head: bytes, *, whole: bool) -> Format | None:
    """The format of a file that begins so; None where it is none of those taken. `whole`: there is nothing after."""
    if head.startswith(b"PK\x03\x04"):
        return Format(APPLE_ZIP)
    if head.startswith(b"PAR1"):
        return Format(PARQUET)
    if head[8:12] == b".FIT":
        return Format(FIT)
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"<"):
        return Format(APPLE_XML) if ROOT in text else None
    if text.startswith(b"["):
        return _format(_members(text, "item"), LIST)
    return _object(text, whole) if text.startswith(b"{") else None


def _object(text: bytes, whole: bool) -> Format | None:
    line, newline, rest = text.partition(b"\n")
    first = _object_in(line) if newline or whole else {}
    members = first or _members(text, "")
    if "entry" in members and members.get("resourceType", "Bundle") == "Bundle":
        return Format(FHIR, BUNDLE)
    # Several objects are lines, be the first one damaged; one alone may be spread over them.
    if not first and (second := _object_in(rest.lstrip().partition(b"\n")[0])):
        return _format(second, LINES)
    return _format(members, LINES if first else DOCUMENT)


def _object_in(line: bytes) -> dict[str, Any]:
    try:
        found = strict_json(line)
    except NotStrictJson:
        return {}
    return found if isinstance(found, dict) else {}


def _format(members: dict[str, Any], layout: str) -> Format | None:
    names = members.keys()
    if "resourceType" in names:
        return Format(FHIR, layout)
    if {"dateTime", "value"} <= names:
        return Format(FITBIT, layout)
    if {"header", "body"} <= names or names & _BODIES:
        return Format(OPEN_MHEALTH, layout)
    if len(names & set(REQUIRED)) >= 3 and layout == LINES:
        return Format(SAMPLES)
    return None


def _members(text: bytes, prefix: str) -> dict[str, Any]:
    """Names of the first object's members, with the value of `resourceType`, as far as they can be read."""
    found: dict[str, Any] = {}
    below = f"{prefix}." if prefix else ""
    try:
        for path, event, value in ijson.parse(io.BytesIO(text)):
            if path == prefix and event == "map_key":
                found[value] = None
            elif path == f"{below}resourceType":
                found["resourceType"] = value
            elif path == prefix and event == "end_map":
                break
    except (ijson.JSONError, ValueError):
        pass  # the head ends in the middle of a document
    return found
