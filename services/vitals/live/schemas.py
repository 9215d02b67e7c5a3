"""What crosses the wire at the door for live samples."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from shared.contracts.base import Wire
from shared.contracts.evidence import VitalSample


class LiveQuestion(Wire):
    """Whose samples?"""

    patient: str = Field(min_length=1, max_length=64)


class LiveSamples(Wire):
    """Data of a `samples` event: some of what came with one request, oldest first, without marks."""

    received_at: datetime
    samples: list[VitalSample]
