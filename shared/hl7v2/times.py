"""Times as HL7 v2 writes them (data types TS and DTM), as aware UTC."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

from shared.errors import FieldProblem
from shared.hl7v2.problems import Fault, Kind, fault_at
from shared.intake import read_time

_TIME = re.compile(
    r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(?:(\d\d)(?:\.(\d{1,4}))?)?([+-]\d{4})?", re.ASCII
)  # YYYYMMDDHHMM[SS[.S[S[S[S]]]]][+/-ZZZZ]
_FIX = "send YYYYMMDDHHMM[SS]+ZZZZ, such as 202601310800+0100"
_ZONE = re.compile(r"[+-]\d{4}", re.ASCII)


def zone_of(text: str) -> str | None:
    """The offset that a time ends with: MSH-7's holds for times that have none (HL7 2.7 chapter 2A)."""
    return text[-5:] if _ZONE.fullmatch(text[-5:]) else None


def read_hl7_time(field: str, text: str, now: datetime, offset: str | None, zone: tzinfo | None) -> datetime | Fault:
    """A time to the minute or finer.

    Args:
        offset: what MSH-7 ends with; holds where the time itself has no offset.
        zone: the site's time zone; holds where neither has.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        problem = "has no time of day" if re.fullmatch(r"\d{4,10}", text) else "is no HL7 time"
        return Fault(field, problem, _FIX)
    year, month, day, hour, minute, second, fraction, own = found.groups()
    clock = f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}" + (f".{fraction}" if fraction else "")
    where = own or offset or _offset_of(clock, zone)
    if where is None:
        fix = f"{_FIX}; or name the site's zone in the setting MLLP_TIME_ZONE"
        return Fault(field, "has no zone", fix, Kind.MISSING)
    moment = read_time(field, f"{clock}{where[:3]}:{where[3:5]}", now)
    return fault_at(field, moment) if isinstance(moment, FieldProblem) else moment


def _offset_of(clock: str, zone: tzinfo | None) -> str | None:
    """The zone's offset at a time by its clocks; of an hour that they show twice, the first."""
    if zone is None:
        return None
    try:
        return datetime.fromisoformat(clock).replace(tzinfo=zone).strftime("%z")
    except ValueError:
        # No such day or hour: `read_time` says so.
        return "+0000"
