"""Which reader reads which format, and what it must be told beside the file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import IO, NamedTuple
from zoneinfo import ZoneInfo

from services.vitals.imports import apple, archives, fhir, fit, fitbit, open_mhealth, parquet, samples
from services.vitals.imports.detection import APPLE_ZIP, FHIR, FIT, FITBIT, OPEN_MHEALTH, PARQUET, SAMPLES, Format
from services.vitals.imports.items import Item

VERSION = 3
"""Goes up with every change of what a reader gives for a file: an unfinished import then begins anew, because the
number of records passed is no longer a place in the file."""
NAMES_PATIENTS = frozenset({FHIR, PARQUET, SAMPLES})
"""Formats whose records may say whose they are; all others are of the one patient that the request names."""
NEEDS_ZONE = frozenset({FITBIT})
"""Formats with local times that name no zone."""


class Beside(NamedTuple):
    """What is known of a file beside it."""

    patient: str
    zone: str
    """IANA name; both are empty where the request names none."""
    received_at: datetime


def read(source: IO[bytes], form: Format, beside: Beside, max_unpacked_bytes: int) -> Iterator[Item]:
    """What is in a file, item by item, the same each time. Raises: NotAnExport."""
    if form.kind == FHIR:
        return fhir.read(source, form.layout)
    if form.kind == OPEN_MHEALTH:
        return open_mhealth.read(source, form.layout)
    if form.kind == FITBIT:
        return fitbit.read(source, form.layout, ZoneInfo(beside.zone))
    if form.kind == FIT:
        return fit.read(source)
    if form.kind == PARQUET:
        return parquet.read(source, beside.patient, beside.received_at)
    if form.kind == SAMPLES:
        return samples.read(source)
    if form.kind == APPLE_ZIP:
        return apple.read(archives.open_export(source, max_unpacked_bytes))
    return apple.read(source)
