"""Apple Health's `export.xml`: records one by one, however large the file is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from services.vitals.checks import MAX_DEVICE
from services.vitals.imports.bounds import Bounded, Damaged, Readable
from services.vitals.imports.items import Ignored, Item, Refused, candidate
from services.vitals.sources import device_name
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
from shared.errors import FieldProblem

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ROOT = b"<HealthData"
HEAD_BYTES = 2**20
"""So far into the file the document type may reach."""
CHUNK_BYTES = 16 * 2**10
MAX_RECORD_BYTES = 4 * 2**20
"""Of one element below the root: the parser looks at an unfinished tag again with each chunk. A long workout has half
a megabyte."""
_TYPES = {
    "HeartRate": (HEART_RATE, {"count/min": "/min"}),
    "RespiratoryRate": (RESPIRATORY_RATE, {"count/min": "/min"}),
    # HealthKit's percent is a fraction: 0.97 under the unit "%" is 97 per cent.
    "OxygenSaturation": (OXYGEN_SATURATION, {"%": "1"}),
    "BodyTemperature": (BODY_TEMPERATURE, {"degC": "Cel", "degF": "[degF]", "K": "K"}),
    "BloodPressureSystolic": (SYSTOLIC_BLOOD_PRESSURE, {"mmHg": "mm[Hg]", "kPa": "kPa"}),
    "BloodPressureDiastolic": (DIASTOLIC_BLOOD_PRESSURE, {"mmHg": "mm[Hg]", "kPa": "kPa"}),
    "StepCount": (STEPS, {"count": "{steps}"}),
    "HeartRateVariabilitySDNN": (HEART_RATE_VARIABILITY, {"ms": "ms", "s": "s"}),
}
"""HKQuantityTypeIdentifier… -> the vital sign, and HealthKit's units (HKUnit) in UCUM."""
_PREFIX = "HKQuantityTypeIdentifier"
_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)", re.ASCII)


def read(source: Readable) -> Iterator[Item]:
    """The vital signs in an export, record by record.

    Records inside of correlations are left out: they stand outside, too (the document type says so).
    """
    bounded, number = Bounded(_WithoutDoctype(source), MAX_RECORD_BYTES), 0
    try:
        depth, root = 0, None
        for event, element in iterparse(bounded, events=("start", "end"), forbid_dtd=True):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            if event == "end" and depth == 1:
                number += 1
                yield _record(f"record {number}", element)
                root.clear()
                bounded.record_ends()
    except Damaged as damage:
        yield damage.at(f"after record {number}")
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        yield Damaged("is not XML from here on").at(f"after record {number}")


def _record(place: str, element: Element) -> Item:
    known = _TYPES.get(element.get("type", "").removeprefix(_PREFIX)) if element.tag == "Record" else None
    if known is None:
        return Ignored(place)
    sign, units = known
    value, unit = _number(element.get("value")), element.get("unit", "")
    if value is None:
        return Refused(place, FieldProblem("value", "is missing or no number", "export the file again"))
    # What is counted over a time is known when the time is over; most types' times are moments.
    return candidate(
        place,
        code=sign.code,
        value=value,
        unit=units.get(unit, unit),
        effective=_rfc3339(element.get("endDate") or element.get("startDate")),
        device=_device(element.get("device")),
    )


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _rfc3339(text: str | None) -> str | None:
    """`2026-01-31 08:00:00 +0100` as RFC 3339 has it; another text as it is, for the checks to judge."""
    found = _TIME.fullmatch(text or "")
    return f"{found[1]}T{found[2]}{found[3]}:{found[4]}" if found else text


def _device(text: str | None) -> str | None:
    name = "" if text is None else device_name(text)
    return "".join(c for c in name if c.isprintable())[:MAX_DEVICE].strip() or None


class _WithoutDoctype:
    """The document without its document type.

    Apple's is at times malformed (iOS 16), no reader needs it, and what is not declared cannot be expanded.
    """

    def __init__(self, source: Readable) -> None:
        self._source, self._begun = source, False

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; at first as many as it takes to come to the root."""
        if self._begun:
            return self._source.read(size)
        self._begun, head = True, b""
        while ROOT not in head and len(head) < HEAD_BYTES and (chunk := self._source.read(CHUNK_BYTES)):
            head += chunk
        start, root = head.find(b"<!DOCTYPE"), head.find(ROOT)
        return head[:start] + head[root:] if 0 <= start < root else head
