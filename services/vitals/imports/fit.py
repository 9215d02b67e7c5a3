"""Garmin and ANT FIT files: heart rate, beat-to-beat intervals, respiration and oxygen saturation of the messages that
the profile defines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import fitdecode

from services.vitals.imports.bounds import Damaged
from services.vitals.imports.fit_beats import Beats
from services.vitals.imports.items import Candidate, Ignored, Item, Refused, candidate
from shared.codes import HEART_RATE, OXYGEN_SATURATION, RESPIRATORY_RATE
from shared.errors import AppError, FieldProblem

_EPOCH = datetime(1989, 12, 31, tzinfo=UTC)
"""Second 0 of FIT's `date_time`; below 2^28 it is time since the device was switched on (profile, type date_time)."""
_RELATIVE = 0x10000000
_FIELDS = {
    "record": (("heart_rate", HEART_RATE, "/min"), ("enhanced_respiration_rate", RESPIRATORY_RATE, "/min")),
    "monitoring": (("heart_rate", HEART_RATE, "/min"),),
    "respiration_rate": (("respiration_rate", RESPIRATORY_RATE, "/min"),),
    "spo2_data": (("reading_spo2", OXYGEN_SATURATION, "%"),),
}
"""Message -> its fields that are vital signs."""
_NO_CLOCK = FieldProblem("effective", "counts from the device's start, not from a date", "set the device's clock")


def read(source: IO[bytes]) -> Iterator[Item]:
    """The vital signs in a FIT file, message by message; where it is damaged, those before, and then the damage."""
    device, last, number, beats = None, None, 0, Beats()
    strict = {"check_crc": fitdecode.CrcCheck.RAISE, "error_handling": fitdecode.ErrorHandling.IGNORE}
    try:
        with fitdecode.FitReader(source, **strict) as messages:
            for message in messages:
                if message.frame_type != fitdecode.FIT_FRAME_DATA:
                    continue
                number += 1
                device = _device(message) if message.name == "file_id" else device
                clock = _clock(message, last)
                last = last if clock is None else clock
                if message.name == "hrv":
                    yield from _beats(f"message {number}", message, last, device, beats)
                else:
                    yield from _vital_signs(f"message {number}", message, clock, device)
    except fitdecode.FitCRCError:
        yield Damaged("does not match its checksum").at(f"after message {number}")
    except AppError:
        raise  # the file could not be read, which says nothing of the file
    except Exception:
        # Damaged bytes make fitdecode raise anything, failed assertions among it; its words quote them.
        yield Damaged("breaks off or is damaged").at(f"after message {number}")


def _vital_signs(place: str, message: Any, clock: int | None, device: str | None) -> Iterator[Item]:
    found = list(_readings(place, message, device))
    if not found:
        yield Ignored(place)
    elif (moment := _moment(clock)) is None:
        yield from (Refused(place, _NO_CLOCK) for _ in found)
    else:
        effective = moment.isoformat()
        yield from (Candidate(place, {**reading.document, "effective": effective}) for reading in found)


def _beats(place: str, message: Any, last: int | None, device: str | None, beats: Beats) -> Iterator[Item]:
    values = message.get_value("time", fallback=None)
    # None is the profile's "invalid": the message has room for five. In a damaged file it may be anything.
    intervals = [v for v in (values if isinstance(values, tuple) else (values,)) if type(v) in (int, float)]
    if not intervals:
        yield Ignored(place)
    elif (moment := _moment(last)) is None:
        yield from (Refused(place, _NO_CLOCK) for _ in intervals)
    else:
        yield from beats.place(place, intervals, moment, device)


def _moment(clock: int | None) -> datetime | None:
    return None if clock is None or clock < _RELATIVE else _EPOCH + timedelta(seconds=clock)


def _readings(place: str, message: Any, device: str | None) -> Iterator[Candidate]:
    for name, sign, unit in _FIELDS.get(message.name, ()):
        # None is the profile's "invalid": nothing was measured. In a damaged file it may be anything.
        if type(value := message.get_value(name, fallback=None)) in (int, float):
            yield candidate(place, code=sign.code, value=value, unit=unit, device=device)


def _clock(message: Any, last: int | None) -> int | None:
    """The time of a message in FIT's seconds: its own, or its low 16 bits on top of the last whole one."""
    own, low = _raw(message, "timestamp"), _raw(message, "timestamp_16")
    if own is not None or low is None or last is None:
        return own
    return last + ((low - last) & 0xFFFF)


def _raw(message: Any, name: str) -> int | None:
    value = message.get_raw_value(name, fallback=None)
    return value if type(value) is int else None


def _device(message: Any) -> str | None:
    parts = (message.get_value(name, fallback=None) for name in ("manufacturer", "garmin_product", "serial_number"))
    return " ".join(str(part) for part in parts if part is not None) or None
