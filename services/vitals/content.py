"""The content of a frozen window as bytes, and back: one spelling, so that the same samples have the same digest."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import datetime

from services.vitals.domain import Point, in_order
from shared.clock import rfc3339


def to_bytes(patient: str, points: Sequence[Point]) -> bytes:
    """JSON with a fixed order of samples and members, without spaces; numbers in Python's shortest exact spelling."""
    rows = [[p.code, p.value, p.unit, rfc3339(p.effective), p.device] for p in in_order(points)]
    return json.dumps({"patient": patient, "samples": rows}, separators=(",", ":"), ensure_ascii=False).encode()


def from_bytes(content: bytes) -> list[Point]:
    """The samples, oldest first."""
    rows = json.loads(content)["samples"]
    return [Point(code, value, unit, datetime.fromisoformat(at), device) for code, value, unit, at, device in rows]


def compress(content: bytes) -> bytes:
    """Gzip without a time stamp: the same content is the same blob."""
    return gzip.compress(content, compresslevel=6, mtime=0)


def decompress(blob: bytes) -> bytes:
    """What was compressed."""
    return gzip.decompress(blob)
