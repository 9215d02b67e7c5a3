"""How old a note is at the case time, in steps that grow with the age: an hour matters on the first day alone."""

from __future__ import annotations

from datetime import datetime

EDGES_H = (1.0, 6.0, 24.0, 72.0, 168.0, 720.0)
"""Bucket k + 1 holds ages below edge k; the last one holds whatever is older than thirty days."""
UNKNOWN = 0
BUCKETS = len(EDGES_H) + 2


def age_bucket(hours: float | None) -> int:
    """The bucket of an age in hours; 0 where nobody knows it. A note from after the case time counts as new."""
    if hours is None:
        return UNKNOWN
    return 1 + sum(hours >= edge for edge in EDGES_H)


def age_hours(authored: datetime, as_of: datetime) -> float:
    """Hours from the writing of a note to the case time."""
    return (as_of - authored).total_seconds() / 3600
