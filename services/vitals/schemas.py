"""What crosses the wire at the vitals service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import Field

from services.vitals.clocks import ClockEstimate, Confidence
from services.vitals.domain import Outcome, Point, Rejection
from services.vitals.plausibility import Flag
from services.vitals.usecases import Series
from shared.contracts.base import Moment, Wire
from shared.contracts.evidence import VitalSample


class SampleIn(Wire):
    """One line of `POST /vitals/samples`."""

    patient: str = Field(min_length=1, max_length=64, description="The identifier the sender uses.")
    code: str = Field(description="LOINC code of the vital sign, such as 8867-4.")
    value: float = Field(description="A JSON number, never a string.")
    unit: str = Field(description="UCUM code, such as /min, %, Cel, mm[Hg].")
    effective: str = Field(description="RFC 3339 time with zone, from 1990 to one hour from now.")
    device: str | None = Field(default=None, max_length=128)
    sent: str | None = Field(default=None, description="What the device's clock shows when it sends this (RFC 3339).")


class RejectedLine(Wire):
    """A line that was not stored."""

    line: int
    reason: str
    field: str
    fix: str

    @classmethod
    def from_domain(cls, rejection: Rejection) -> RejectedLine:
        """The rejection as the sender sees it."""
        problem = rejection.problem
        reason = f"{problem.field} {problem.problem}"
        return cls(line=rejection.line, reason=reason, field=problem.field, fix=problem.fix)


class SamplesReceipt(Wire):
    """What became of the lines."""

    accepted: int
    duplicates: int
    rejected: list[RejectedLine]
    rejected_count: int
    """Of all rejected lines, also where `rejected` does not list them all."""

    @classmethod
    def from_domain(cls, outcome: Outcome, most: int) -> SamplesReceipt:
        """The receipt as the sender sees it, with at most so many rejected lines."""
        told = [RejectedLine.from_domain(rejection) for rejection in outcome.rejected[:most]]
        return cls(
            accepted=outcome.accepted,
            duplicates=outcome.duplicates,
            rejected=told,
            rejected_count=len(outcome.rejected),
        )


class VitalsQuestion(Wire):
    """`POST /vitals/search`. A POST, so that the patient stands in no URL."""

    patient: str = Field(min_length=1, max_length=64)
    start: Moment
    end: Moment
    codes: list[str] | None = Field(default=None, min_length=1, max_length=50)
    """LOINC codes; default: all."""
    limit: int = Field(default=20_000, ge=1, le=50_000)
    downsample: bool = False
    """Where there are more samples than `limit`: give the extremes of each time bucket, not the newest samples."""


class MarkedSample(VitalSample):
    """A measurement with what is doubtful about it."""

    flags: list[Flag] = []
    device_time: datetime | None = None
    """What the device said, where its clock was wrong and `effective` is corrected."""
    zone_minutes: int | None = None
    """What the wearer's local time was ahead of UTC, where the sender said so."""


class DeviceClock(Wire):
    """How a device's clock was off at its last sending."""

    device: str | None
    read_at: datetime
    offset_s: float
    """To be added to its time."""
    drift_ppm: float | None
    confidence: Confidence


class VitalsAnswer(Wire):
    """Samples, oldest first."""

    samples: list[MarkedSample]
    total: int
    """How many there are from `start` to `end`."""
    truncated: bool
    """Older samples of the range are left out."""
    downsampled: bool
    """Samples are left out all over the range; lows and highs are kept."""
    clocks: list[DeviceClock] = []
    """Of those of the patient's devices that say what their clock shows."""


def samples_out(points: Sequence[Point]) -> list[VitalSample]:
    """Points as they cross the wire."""
    return [
        VitalSample(code=p.code, value=p.value, unit=p.unit, effective=p.effective, device=p.device or None)
        for p in points
    ]


def marked_out(series: Series) -> list[MarkedSample]:
    """Points with their marks, as they cross the wire."""
    return [
        MarkedSample(
            **sample.model_dump(),
            flags=list(series.flags.get(point, ())),
            device_time=point.device_time,
            zone_minutes=point.zone_minutes,
        )
        for sample, point in zip(samples_out(series.points), series.points, strict=True)
    ]


def clocks_out(clocks: Mapping[str, ClockEstimate]) -> list[DeviceClock]:
    """Clocks by device, as they cross the wire."""
    return [
        DeviceClock(
            device=device or None,
            read_at=known.latest.received,
            offset_s=known.latest.offset.total_seconds(),
            drift_ppm=known.drift_ppm,
            confidence=known.confidence,
        )
        for device, known in clocks.items()
    ]
