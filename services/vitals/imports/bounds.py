"""Keeps readers in bounded memory: no record may be larger than this, whatever the file says."""

from __future__ import annotations

from typing import Protocol

from services.vitals.imports.items import Refused
from shared.errors import FieldProblem

MAX_RECORD_BYTES = 16 * 2**20
"""Between two records so many bytes are read at most. A day of a monitor's SampledData at 1 Hz is half a megabyte."""
AGAIN = "export the file again; what stands before this place is taken"


class Readable(Protocol):
    """Bytes, one chunk after the other."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""


class Damaged(Exception):
    """From here on the file cannot be read."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = FieldProblem("file", problem, AGAIN)

    def at(self, place: str) -> Refused:
        """The damage as an item of the file."""
        return Refused(place, self.problem)


class Bounded:
    """A file to read from that raises where a record does not end. Raises: Damaged."""

    def __init__(self, source: Readable, most: int = MAX_RECORD_BYTES) -> None:
        self._source, self._most, self._since = source, most, 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        chunk = self._source.read(size)
        self._since += len(chunk)
        if self._since > self._most:
            raise Damaged(f"holds a record larger than {self._most} bytes")
        return chunk

    def record_ends(self) -> None:
        """Count from here."""
        self._since = 0
