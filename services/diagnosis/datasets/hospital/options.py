"""What may be chosen when a hospital's folder is read. Leaving consent aside is not among it."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.diagnosis.datasets.given import take_as_declared
from services.diagnosis.snapshot import NOTES_WITHIN


@dataclass(frozen=True)
class HospitalOptions:
    """Another choice makes another index."""

    hours: float = 4.0
    """The case time: so many hours after the encounter began, or when it ended or its diagnosis was recorded."""
    evidence_days: float = NOTES_WITHIN.days
    """Evidence is at most so old at the case time."""
    timezone: str = "UTC"
    """IANA name of the zone of DICOM times that do not say their own."""

    def __post_init__(self) -> None:
        take_as_declared(self)
        if not self.hours > 0 or not self.evidence_days > 0:
            raise ValueError("hours and evidence_days must be positive")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{self.timezone!r} is no IANA time zone, such as Europe/Amsterdam") from None
