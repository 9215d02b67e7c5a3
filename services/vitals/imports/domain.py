"""What an import is: a file, how far it has come, and who sent it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.vitals.imports.detection import Format
from services.vitals.usecases import Asker
from shared.errors import FieldProblem


class State(StrEnum):
    """Where an import stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Counts:
    """What became of the records so far. `read` is the sum of the others, and where a killed import goes on."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    ignored: int = 0
    """Records of something else than a vital sign known here."""

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            self.read + other.read,
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.rejected + other.rejected,
            self.ignored + other.ignored,
        )


@dataclass(frozen=True)
class Upload:
    """A file as it came, durable already."""

    digest: str
    """Of the file, byte by byte."""
    pieces: str
    """Address of the list of its pieces in the blob store."""
    size: int
    form: Format
    patient: str
    """Empty where the request names none."""
    zone: str
    """IANA name; empty where the request names none."""
    owner: str = ""
    """Of the scope of the blob store in which the pieces lie; empty: outside of all, as before 2026-12."""


@dataclass(frozen=True)
class Import:
    """One file on its way in. The same file for the same patient in the same zone is one import."""

    id: str
    upload: Upload
    sender: Asker
    state: State
    received_at: datetime
    finished_at: datetime | None
    bytes_done: int
    counts: Counts
    error: str
    """Why it failed, empty otherwise."""
    readers: int
    """Version of the readers that `counts` belong to."""


@dataclass(frozen=True)
class Claim:
    """The right to work on an import, until the lease ends or a later claim has a higher fence."""

    job: Import
    fence: int


@dataclass(frozen=True)
class Reject:
    """One record that is not stored, and why."""

    number: int
    """Of the record in the file, from 1."""
    place: str
    problem: FieldProblem
