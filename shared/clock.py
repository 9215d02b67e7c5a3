"""Time as an argument: use cases are handed a clock, so that tests can move it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import MINYEAR, UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present, as an aware UTC time."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 text in UTC with microseconds and a `Z`, the one spelling used in digests and in the audit log.

    Raises: ValueError: a naive time, whose zone would be a guess.
    """
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone")
    # `strftime` writes the year 1 as `1`.
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def years_before(moment: datetime, years: int) -> datetime:
    """The same day and time so many years before; of the 29th of February, the 28th where there is none.

    The calendar begins with the year 1.
    """
    year = max(moment.year - years, MINYEAR)
    try:
        return moment.replace(year=year)
    except ValueError:
        return moment.replace(year=year, day=28)
