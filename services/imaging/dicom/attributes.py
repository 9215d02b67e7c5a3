"""What the header says of patient, time and view, with defects named in `quality` instead of guessed away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from pydicom.dataset import Dataset

from services.imaging.dicom.values import text

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
FUTURE_TOLERANCE = timedelta(hours=1)
DAYS_PER_YEAR = 365.2425

_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?")
_DATE_TIME = re.compile(r"(\d{8})(\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?([+-]\d{4})?")
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_DAYS = {"D": 1.0, "W": 7.0, "M": DAYS_PER_YEAR / 12, "Y": DAYS_PER_YEAR}


def effective_time(ds: Dataset, received_at: datetime) -> tuple[datetime, dict[str, str]]:
    """When the radiograph was taken, and what is doubtful about that.

    The first readable of AcquisitionDateTime, AcquisitionDate, ContentDate and StudyDate with its time, in the zone
    of TimezoneOffsetFromUTC (UTC where absent). A time in the future or before 1990 is a wrong clock: then, as where
    no time is given, it is the time of receipt.
    """
    moment, doubts = next(_candidates(ds), (None, {"clock": "no acquisition time in the header; time of receipt used"}))
    if moment is None:
        return received_at, doubts
    if moment > received_at + FUTURE_TOLERANCE:
        return received_at, {"clock": "acquisition time lies in the future; time of receipt used"}
    if moment < EARLIEST:
        return received_at, {"clock": "acquisition time lies before 1990; time of receipt used"}
    return moment, doubts


def _candidates(ds: Dataset) -> Iterator[tuple[datetime, dict[str, str]]]:
    zone = _zone(text(ds, "TimezoneOffsetFromUTC"))
    matched = _DATE_TIME.fullmatch(text(ds, "AcquisitionDateTime"))
    if matched:
        own = _zone(matched[3] or "")
        yield from _moment(matched[1], matched[2] or "", own or zone)
    for keyword in ("Acquisition", "Content", "Study"):
        yield from _moment(text(ds, f"{keyword}Date"), text(ds, f"{keyword}Time"), zone)


def _moment(date: str, time: str, zone: timezone | None) -> Iterator[tuple[datetime, dict[str, str]]]:
    day, clock = _DATE.fullmatch(date), _TIME.fullmatch(time)
    if day is None:
        return
    doubts = {} if zone else {"timeZone": "no TimezoneOffsetFromUTC in the header; UTC assumed"}
    if clock is None:
        doubts["timeOfDay"] = "no time of day in the header; start of day assumed"
    hour, minute, second, fraction = clock.groups(default="0") if clock else ("0",) * 4
    try:
        date_part = datetime(int(day[1]), int(day[2]), int(day[3]), tzinfo=zone or UTC)
        # A leap second is written as 60 (PS3.5 section 6.2).
        moment = date_part.replace(
            hour=int(hour), minute=int(minute), second=min(int(second), 59), microsecond=int(fraction.ljust(6, "0"))
        )
        yield moment.astimezone(UTC), doubts
    except (ValueError, OverflowError):
        return


def _zone(offset: str) -> timezone | None:
    matched = _OFFSET.fullmatch(offset)
    if matched is None or int(matched[2]) > 14 or int(matched[3]) > 59:
        return None
    delta = timedelta(hours=int(matched[2]), minutes=int(matched[3]))
    return timezone(-delta if matched[1] == "-" else delta)


def patient_age_years(ds: Dataset, effective_at: datetime) -> float | None:
    """PatientAge in years, or reckoned from PatientBirthDate; None where neither is readable."""
    age = _AGE.fullmatch(text(ds, "PatientAge"))
    if age:
        return round(int(age[1]) * _DAYS[age[2]] / DAYS_PER_YEAR, 2)
    birth = next(_moment(text(ds, "PatientBirthDate"), "", UTC), None)
    if birth is None:
        return None
    years = (effective_at - birth[0]).days / DAYS_PER_YEAR
    return round(years, 2) if 0 <= years <= 130 else None


def patient_sex(ds: Dataset) -> str | None:
    """`M`, `F` or `O`; None for anything else."""
    value = text(ds, "PatientSex").upper()
    return value if value in ("M", "F", "O") else None
