"""The erasure journal: what was erased, outside of every database, so that a restored backup can be told.

JSON lines, only ever added to, each durable before its erasure begins. It names patients by pseudonym. Keep it where
the databases' backups are not: restored with them, it forgets what they forget.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import datetime
from pathlib import Path

from services.audit.domain.erasure import Erasure
from shared.clock import rfc3339
from shared.errors import Unavailable


class ErasureJournal:
    """One file. Several processes may add to it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> list[Erasure]:
        """Every erasure in it, in order. A last line that a crash cut short told of nothing that had begun.

        Raises: ValueError: a line in it is not one of ours; nobody then knows what else is missing.
        """
        if not self._path.exists():
            return []
        *lines, _ = self._path.read_bytes().split(b"\n")
        found: dict[str, Erasure] = {}
        for number, line in enumerate(lines, 1):
            try:
                erasure = _parse(line)
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"line {number} of the erasure journal {self._path} cannot be read") from error
            found.setdefault(erasure.id, erasure)
        return list(found.values())

    def add(self, erasure: Erasure) -> None:
        """Write an erasure down, unless it stands there; returns when it would survive a power cut.

        Raises: Unavailable: the file cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if erasure.id in (known.id for known in self.entries()):
                    return
                self._cut_torn_line(file.fileno())
                file.write(_line(erasure))
                file.flush()
                os.fsync(file.fileno())
            _sync(self._path.parent)
        except OSError as error:
            raise Unavailable("The erasure journal cannot be written; nothing is erased before it can.") from error

    def _cut_torn_line(self, descriptor: int) -> None:
        whole, _, torn = self._path.read_bytes().rpartition(b"\n")
        if torn:
            os.ftruncate(descriptor, len(whole) + 1 if whole else 0)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(erasure: Erasure) -> bytes:
    said = {
        "id": erasure.id,
        "subjectRef": erasure.subject_ref,
        "reason": erasure.reason,
        "requestedAt": rfc3339(erasure.requested_at),
        "requestedBy": {"issuer": erasure.issuer, "subject": erasure.subject},
    }
    return json.dumps(said, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _parse(line: bytes) -> Erasure:
    said = json.loads(line)
    by = said["requestedBy"]
    return Erasure(
        id=str(said["id"]), subject_ref=str(said["subjectRef"]), patient=None, reason=str(said["reason"]),
        issuer=str(by["issuer"]), subject=str(by["subject"]),
        requested_at=datetime.fromisoformat(said["requestedAt"]), again=True,
    )  # fmt: skip
