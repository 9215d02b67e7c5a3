"""Writes exports as Apple Health does: iOS 17's document type (abridged), attributes and order."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 12 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
<!ELEMENT Record ((MetadataEntry|HeartRateVariabilityMetadataList)*)>
]>
<HealthData locale="en_GB">
 <ExportDate value="2026-03-15 09:00:00 +0100"/>
"""
WATCH = (
    "<<HKDevice: 0x{address:x}>, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,2, "
    "software:{software}>"
)


def record(kind: str, value: object, unit: str, at: str = "2026-03-14 08:30:00 +0100", **more: str) -> str:
    """One `Record` as a line."""
    attributes = {
        "type": f"HKQuantityTypeIdentifier{kind}",
        "sourceName": "Anna's Apple Watch",
        "unit": unit,
        "creationDate": at,
        "startDate": at,
        "endDate": at,
        "value": str(value),
        **more,
    }
    return f" <Record {' '.join(f'{name}={quoteattr(text)}' for name, text in attributes.items())}/>\n"


def export_xml(records: Iterable[str], head: str = HEAD) -> bytes:
    """An `export.xml`."""
    return (head + "".join(records) + "</HealthData>\n").encode()


def export_zip(content: bytes, name: str = "apple_health_export/export.xml") -> bytes:
    """An `export.zip`, with the other members that Apple adds."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("apple_health_export/export_cda.xml", "<ClinicalDocument/>" * 10)
        archive.writestr(name, content)
        archive.writestr("apple_health_export/workout-routes/route_2026-03-01.gpx", "<gpx/>")
    return target.getvalue()
