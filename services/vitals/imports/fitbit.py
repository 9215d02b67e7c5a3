"""Heart rate of a Fitbit or Google takeout: beats per minute at a local time that names no zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any
from zoneinfo import ZoneInfo

from services.vitals.imports.items import Ignored, Item, Refused, candidate, member
from services.vitals.imports.json_records import Record, read_records
from shared.codes import HEART_RATE
from shared.errors import FieldProblem

_FORM = "%m/%d/%y %H:%M:%S"
_NO_TIME = FieldProblem("effective", "is no time such as 09/01/26 06:32:14", "export the file again")
_NOT_ONE = FieldProblem(
    "effective",
    "comes twice or never in this zone: the clocks are changed then",
    "send that hour to POST /vitals/samples, each time with its offset",
)


def read(source: IO[bytes], layout: str, zone: ZoneInfo) -> Iterator[Item]:
    """The heart rates in a takeout, their times read in a zone."""
    for record in read_records(source, layout):
        if record.problem is not None:
            yield Refused(record.place, record.problem)
        else:
            yield _heart_rate(record, zone)


def _heart_rate(record: Record, zone: ZoneInfo) -> Item:
    beats = member(record.value, "value", "bpm")
    if beats is None:
        return Ignored(record.place)
    effective = local_time(member(record.value, "dateTime"), zone)
    if isinstance(effective, FieldProblem):
        return Refused(record.place, effective)
    return candidate(record.place, code=HEART_RATE.code, value=beats, unit="/min", effective=effective, device="Fitbit")


def local_time(text: Any, zone: ZoneInfo) -> str | FieldProblem:
    """A local time with its offset, where the zone gives it exactly one."""
    try:
        naive = datetime.strptime(str(text), _FORM)
    except ValueError:
        return _NO_TIME
    first, second = naive.replace(tzinfo=zone), naive.replace(tzinfo=zone, fold=1)
    # A time that the change of clocks skips, or that it repeats, has two offsets (PEP 495).
    if first.utcoffset() != second.utcoffset():
        return _NOT_ONE
    return first.astimezone(UTC).isoformat()
