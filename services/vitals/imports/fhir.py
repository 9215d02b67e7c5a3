"""FHIR R4 Observations, alone, in a Bundle or line by line: values, components and sampled data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from services.vitals.imports.items import Ignored, Item, Refused, candidate, member
from services.vitals.imports.json_records import BUNDLE, Record, read_records
from services.vitals.imports.sampled_data import read_series
from services.vitals.units import canonical_code
from shared.codes import LOINC, UCUM
from shared.errors import FieldProblem

STANDING = frozenset({"preliminary", "final", "amended", "corrected"})
"""Of http://hl7.org/fhir/observation-status: what has a result that nobody has withdrawn."""
_STATUS = FieldProblem("status", "is not that of a result that stands", "send preliminary, final, amended or corrected")
_MODIFIED = FieldProblem("modifierExtension", "may change the meaning of the record", "send Observations without it")
_NO_QUANTITY = FieldProblem("value", "is neither a quantity nor sampled data", "send valueQuantity, or nothing")
_COMPARED = FieldProblem("value", "is a bound, not a measurement (comparator)", "send the measured value")


def read(source: IO[bytes], layout: str) -> Iterator[Item]:
    """The vital signs in a file of resources."""
    for record in read_records(source, layout):
        if record.problem is not None:
            yield Refused(record.place, record.problem)
        elif layout == BUNDLE:
            yield from _observation(Record(f"{record.place}/resource", member(record.value, "resource")))
        else:
            yield from _observation(record)


def _observation(record: Record) -> Iterator[Item]:
    place, resource = record.place, record.value
    measures = list(_measures(resource)) if member(resource, "resourceType") == "Observation" else []
    if not measures:
        yield Ignored(place)
    elif resource.get("status") not in STANDING:
        yield Refused(place, _STATUS)
    elif "modifierExtension" in resource:
        yield Refused(place, _MODIFIED)
    else:
        shared = {"patient": member(resource, "subject", "identifier", "value"), "device": _device(resource)}
        for where, code, measure in measures:
            yield from _values(_below(place, where), measure, resource, {"code": code, **shared})


def _measures(resource: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The observation itself and its components, as far as they are vital signs known here."""
    components = [(f"component/{n}", part) for n, part in enumerate(_list(resource.get("component")))]
    for where, part in [("", resource), *components]:
        if (code := _code(part)) is not None:
            yield where, code, part


def _code(part: Any) -> str | None:
    for coding in _list(member(part, "code", "coding")):
        code = member(coding, "code")
        if member(coding, "system") == LOINC and isinstance(code, str) and isinstance(canonical_code(code), str):
            return code
    return None


def _values(place: str, measure: dict[str, Any], resource: dict[str, Any], known: dict[str, Any]) -> Iterator[Item]:
    sampled = measure.get("valueSampledData")
    if isinstance(sampled, dict):
        unit = _unit(sampled.get("origin"))
        yield from read_series(_below(place, "valueSampledData"), sampled, _time(resource, "start"), unit=unit, **known)
        return
    quantity = measure.get("valueQuantity")
    if quantity is None or member(quantity, "comparator") is not None:
        yield Refused(place, _NO_QUANTITY if quantity is None else _COMPARED)
        return
    value, unit = member(quantity, "value"), _unit(quantity)
    # A measurement over a period is known only when the period is over.
    yield candidate(place, value=value, unit=unit, effective=_time(resource, "end"), **known)


def _time(resource: dict[str, Any], edge: str) -> Any:
    period = member(resource, "effectivePeriod", edge)
    return resource.get("effectiveDateTime") or resource.get("effectiveInstant") or period


def _unit(quantity: Any) -> Any:
    """The UCUM code; where there is none the words, for the checks to judge."""
    is_ucum = member(quantity, "system") in (UCUM, None)
    return (member(quantity, "code") if is_ucum else None) or member(quantity, "unit")


def _device(resource: dict[str, Any]) -> Any:
    device = resource.get("device")
    return member(device, "identifier", "value") or member(device, "reference") or member(device, "display")


def _below(place: str, where: str) -> str:
    return f"{place.rstrip('/')}/{where}" if where and not place.startswith("line") else f"{place} {where}".rstrip()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
