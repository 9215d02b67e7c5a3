"""Small readings that several resources share: codings, references, times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.hospital.export import Json
from shared.codes import LOINC


def items(value: object) -> Iterator[Json]:
    """The objects of an element that repeats; nothing where it is absent or of another shape."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def part(value: object, *names: str) -> Any:
    """An element inside elements; None where one of them is absent."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def codings(concept: object) -> Iterator[tuple[str, str]]:
    """(system, code) of each coding of a CodeableConcept."""
    for coding in items(part(concept, "coding")):
        yield str(coding.get("system", "")), str(coding.get("code", ""))


def loinc_codes(concept: object) -> list[str]:
    """The LOINC codes of a CodeableConcept."""
    return [code for system, code in codings(concept) if system == LOINC]


def reference_id(reference: object, kind: str) -> str | None:
    """The id that `Patient/17`, `https://…/Patient/17`, `…/17/_history/2` or `urn:uuid:…` refer to.

    None where there is no reference, or it is to another type than `kind`.
    """
    text = part(reference, "reference")
    if not isinstance(text, str) or not text:
        return None
    path, _, name = text.partition("/_history/")[0].rpartition("/")
    return name.removeprefix("urn:uuid:") if path.rpartition("/")[2] in ("", kind) else None


def instant(place: Place, element: str, value: object) -> float | None:
    """Seconds since 1970 of a FHIR dateTime with its time; None where it is absent, or a day, month or year only.

    Raises: DatasetError: it is no dateTime, or a time without its zone.
    """
    if value is None or (isinstance(value, str) and "T" not in value and len(value) in (4, 7, 10)):
        return None
    try:
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    problem = f"{element} is no time with its zone."
    raise DatasetError(place, problem, "Write it as 2026-01-15T08:30:00+01:00.")


def birth_of(place: Place, value: object) -> float | None:
    """Seconds since 1970 of a FHIR date; of a year or month alone, of its first day. Raises: DatasetError."""
    if value is None:
        return None
    text = str(value)
    try:
        return datetime.fromisoformat(f"{text}{'-01-01'[len(text) - 4 :]}T00:00:00+00:00").timestamp()
    except ValueError:
        raise DatasetError(place, "Patient.birthDate is no date.", "Write it as 1961-05-23.") from None
