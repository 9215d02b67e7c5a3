"""Beat-to-beat intervals of FIT files: `hrv` messages say how long beats took, and never when.

The profile gives the message an array of seconds and no time (message 78). Devices write it, with five beats at most,
behind the record of the second in which the last of them came. So beats are lined up end to end, and held against the
time of the message before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from services.vitals.imports.items import Item, candidate
from services.vitals.signs import RR_INTERVAL

APART = timedelta(seconds=5)
"""How far beats that were lined up may stray from the time beside them: a message gathers a few seconds of beats.
Further away, beats were lost, and the line begins anew."""


class Beats:
    """The beats of one file, in order."""

    def __init__(self) -> None:
        self._last: datetime | None = None

    def place(self, where: str, intervals_s: Sequence[float], now: datetime, device: str | None) -> Iterator[Item]:
        """A candidate for each interval of a message, at the beat that ends it; `now` is the time beside it."""
        whole = sum((timedelta(seconds=interval) for interval in intervals_s), timedelta())
        if self._last is None or abs(self._last + whole - now) > APART:
            self._last = now - whole
        for interval in intervals_s:
            self._last += timedelta(seconds=interval)
            at = self._last.isoformat()
            yield candidate(where, code=RR_INTERVAL.code, value=interval, unit="s", effective=at, device=device)
