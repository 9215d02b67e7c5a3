"""What crosses the wire at the door for imports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.vitals.imports.domain import Import, Reject, State
from shared.contracts.base import Wire


class ImportCounts(Wire):
    """What became of the records so far; `read` is the sum of the others."""

    read: int
    accepted: int
    duplicates: int
    rejected: int
    ignored: int
    """Records of something else than a vital sign known here."""


class ImportBytes(Wire):
    """How much of the file is worked off."""

    done: int
    total: int


class ImportProgress(Wire):
    """One file on its way in."""

    id: str
    state: State
    format: str
    received_at: datetime
    finished_at: datetime | None
    bytes: ImportBytes
    counts: ImportCounts
    error: str | None

    @classmethod
    def from_domain(cls, job: Import) -> ImportProgress:
        """The import as its sender sees it. The patient is left out: progress needs none."""
        c = job.counts
        return cls(
            id=job.id,
            state=job.state,
            format=job.upload.form.kind,
            received_at=job.received_at,
            finished_at=job.finished_at,
            bytes=ImportBytes(done=job.bytes_done, total=job.upload.size),
            counts=ImportCounts(
                read=c.read, accepted=c.accepted, duplicates=c.duplicates, rejected=c.rejected, ignored=c.ignored
            ),
            error=job.error or None,
        )


class RejectedRecord(Wire):
    """A record that was not stored: where it stands, what is wrong, how to mend it. Never its value."""

    place: str
    field: str
    reason: str
    fix: str

    @classmethod
    def from_domain(cls, reject: Reject) -> RejectedRecord:
        """The reject as the sender sees it."""
        problem = reject.problem
        reason = f"{problem.field} {problem.problem}"
        return cls(place=reject.place, field=problem.field, reason=reason, fix=problem.fix)


class RejectedRecords(Wire):
    """A page of them, in the order of the file."""

    items: list[RejectedRecord]
    next: int | None
    """Send it as `after` to go on; null at the end."""

    @classmethod
    def from_domain(cls, rejects: Sequence[Reject], limit: int) -> RejectedRecords:
        """At most `limit` of the rejects; one more says that there is a next page."""
        shown = rejects[:limit]
        following = shown[-1].number if len(rejects) > limit else None
        return cls(items=[RejectedRecord.from_domain(reject) for reject in shown], next=following)
