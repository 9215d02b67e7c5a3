"""How wrong a device's clock was: the time it showed when it sent against the time when that came in.

As Tidepool keeps it (its data model: deviceTime, time, timezoneOffset, clockDriftOffset), what the device said is never
changed; a corrected time stands beside it where the clock was off by more than latency explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

CORRECT_FROM = timedelta(seconds=60)
"""A smaller difference may be the way of the message."""
DRIFT_PPM = 100
"""What a quartz drifts at most, temperature and age included: 8.6 seconds a day. More than this and `CORRECT_FROM`
between two readings is a clock that somebody set."""
DRIFT_OVER = timedelta(days=1)
"""A drift is told from readings so far apart; from nearer ones it would be latency."""
SURE_FROM = 3


class Confidence(StrEnum):
    """How far an offset can be trusted."""

    LOW = "low"
    """One or two readings, or a clock that was just set."""
    HIGH = "high"
    """Three readings or more that agree."""


@dataclass(frozen=True)
class Reading:
    """One look at a device's clock."""

    sent: datetime
    """What the device showed."""
    received: datetime

    @property
    def offset(self) -> timedelta:
        """What is to be added to the device's time."""
        return self.received - self.sent


@dataclass(frozen=True)
class ClockEstimate:
    """What is known of a clock after a reading."""

    latest: Reading
    drift_ppm: float | None
    """How much slower than true time it runs, in parts per million."""
    confidence: Confidence
    before_jump: Reading | None
    """The last reading before somebody set the clock, where that was since."""

    def correct(self, shown: datetime) -> datetime | None:
        """The true time of something stamped so; None where the clock was right."""
        offset = self._offset_at(shown)
        return shown + offset if abs(offset) >= CORRECT_FROM else None

    def _offset_at(self, shown: datetime) -> timedelta:
        before = self.before_jump
        if before is not None and shown <= before.sent and self.latest.offset < before.offset:
            # Set forward since: a time that the clock had passed then was stamped before that.
            return before.offset
        drift = (self.drift_ppm or 0.0) * 1e-6
        return self.latest.offset - drift * (self.latest.sent - shown)


def estimate(readings: Sequence[Reading]) -> ClockEstimate:
    """What readings of one clock, oldest first, say of it after the last one. There must be one."""
    steady = len(readings) - 1
    while steady > 0 and _agree(readings[steady - 1], readings[steady]):
        steady -= 1
    first, latest = readings[steady], readings[-1]
    apart = latest.received - first.received
    drift = (latest.offset - first.offset) / apart * 1e6 if apart >= DRIFT_OVER else None
    sure = len(readings) - steady >= SURE_FROM
    before = readings[steady - 1] if steady else None
    return ClockEstimate(latest, drift, Confidence.HIGH if sure else Confidence.LOW, before)


def _agree(one: Reading, other: Reading) -> bool:
    allowed = CORRECT_FROM + DRIFT_PPM * 1e-6 * (other.received - one.received)
    return abs(other.offset - one.offset) <= allowed
