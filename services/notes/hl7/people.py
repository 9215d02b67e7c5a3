"""Who is named in the fields of a message: the same words in its text name the same persons."""

from __future__ import annotations

from collections.abc import Iterator

from shared.hl7v2.message import Message, Segment
from shared.hl7v2.problems import RefusedMessage

_NAMES = {
    "PID": ((5, (1, 2, 3)), (6, (1, 2)), (9, (1, 2, 3))),
    "NK1": ((2, (1, 2)),),
    "PV1": tuple((field, (2, 3)) for field in (7, 8, 9, 17)),
    "TXA": tuple((field, (2, 3)) for field in (5, 9, 10, 11, 22)),
    "OBR": tuple((field, (2, 3)) for field in (16, 28, 32)),
}
"""Segment -> fields of names and their components: XPN (family, given, second name) or XCN (family, given)."""
_NUMBERS = {"PID": (2, 3, 4, 13, 14, 18, 19)}


def people_of(message: Message) -> frozenset[str]:
    """Names and numbers of the patient, the next of kin and the authors, word by word."""
    return frozenset(word for segment in message.segments for value in _values(segment) for word in value.split())


def _values(segment: Segment) -> Iterator[str]:
    for field, components in _NAMES.get(segment.name, ()):
        yield from (_part(segment, field, component) for component in components)
    for field in _NUMBERS.get(segment.name, ()):
        yield _part(segment, field, 1)


def _part(segment: Segment, field: int, component: int) -> str:
    try:
        return segment.part(field, component)
    except RefusedMessage:
        # A name that cannot be read is no reason to refuse the document.
        return ""
