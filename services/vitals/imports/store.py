"""Rows of imports and every query on them. Functions take and give domain types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.vitals.imports.detection import Format
from services.vitals.imports.domain import Claim, Counts, Import, Reject, State, Upload
from services.vitals.store import Base
from services.vitals.usecases import Asker
from shared.auth import Principal, Role
from shared.database import UtcDateTime, change_rows, insert_into
from shared.errors import FieldProblem


class ImportRow(Base):
    """One file. Its lease and fence are those of a job (ADR 0040)."""

    __tablename__ = "import_job"
    __table_args__ = (
        sa.UniqueConstraint("tenant", "digest", "patient", "zone", name="uq_import_job_content"),
        sa.Index("ix_import_job_state", "tenant", "state"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    digest: Mapped[str] = mapped_column(sa.String(80))
    patient: Mapped[str] = mapped_column(sa.String(64))
    zone: Mapped[str] = mapped_column(sa.String(64))
    kind: Mapped[str] = mapped_column(sa.String(32))
    layout: Mapped[str] = mapped_column(sa.String(16))
    pieces: Mapped[str] = mapped_column(sa.String(80))
    owner: Mapped[str | None] = mapped_column(sa.String(64))
    """Of the pieces' scope in the blob store; None in rows from before 2026-12."""
    size: Mapped[int] = mapped_column(sa.BigInteger)
    sender: Mapped[str] = mapped_column(sa.Text)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(sa.String(16))
    error: Mapped[str] = mapped_column(sa.String(255), default="")
    bytes_done: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    read: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    accepted: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    duplicates: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    rejected: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    ignored: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fence: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    readers: Mapped[int] = mapped_column(sa.Integer)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Claims since the last progress."""

    def to_domain(self) -> Import:
        """The import as the use cases know it."""
        form = Format(self.kind, self.layout)
        counts = Counts(self.read, self.accepted, self.duplicates, self.rejected, self.ignored)
        return Import(
            id=self.id,
            upload=Upload(self.digest, self.pieces, self.size, form, self.patient, self.zone, self.owner or ""),
            sender=_sender(self.sender),
            state=State(self.state),
            received_at=self.received_at,
            finished_at=self.finished_at,
            bytes_done=self.bytes_done,
            counts=counts,
            error=self.error,
            readers=self.readers,
        )


class RejectRow(Base):
    """One record of a file that is not stored."""

    __tablename__ = "import_reject"

    job: Mapped[str] = mapped_column(sa.ForeignKey("import_job.id"), primary_key=True)
    number: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    place: Mapped[str] = mapped_column(sa.Text)
    field: Mapped[str] = mapped_column(sa.String(64))
    problem: Mapped[str] = mapped_column(sa.Text)
    fix: Mapped[str] = mapped_column(sa.Text)


class LeaseLost(Exception):
    """Another worker has the import now."""


def add_import(session: Session, tenant: str, job: Import) -> bool:
    """Store a new import unless the same file is known for the same patient and zone; says whether it was stored."""
    u = job.upload
    values = {
        "id": job.id,
        "tenant": tenant,
        "digest": u.digest,
        "patient": u.patient,
        "zone": u.zone,
        "kind": u.form.kind,
        "layout": u.form.layout,
        "pieces": u.pieces,
        "owner": u.owner or None,
        "size": u.size,
        "sender": json.dumps({**asdict(job.sender.principal), "request_id": job.sender.request_id}),
        "received_at": job.received_at,
        "state": job.state,
        "readers": job.readers,
    }
    counters = dict.fromkeys(("bytes_done", *asdict(job.counts), "fence", "attempts"), 0)
    row = insert_into(session, ImportRow).values(**values, **counters, error="")
    unless_known = row.on_conflict_do_nothing(index_elements=["tenant", "digest", "patient", "zone"])
    return session.scalar(unless_known.returning(ImportRow.id)) is not None


def find_import(session: Session, tenant: str, job_id: str) -> Import | None:
    """The import with this id."""
    row = session.scalar(sa.select(ImportRow).where(ImportRow.tenant == tenant, ImportRow.id == job_id))
    return row.to_domain() if row else None


def find_import_of(session: Session, tenant: str, upload: Upload) -> Import | None:
    """The import of the same file for the same patient in the same zone."""
    r = ImportRow
    same = (r.tenant == tenant, r.digest == upload.digest, r.patient == upload.patient, r.zone == upload.zone)
    row = session.scalar(sa.select(r).where(*same))
    return row.to_domain() if row else None


def queue_again(session: Session, job_id: str, upload: Upload) -> None:
    """Let a failed import go on where it stopped, with these pieces."""
    failed = sa.update(ImportRow).where(ImportRow.id == job_id, ImportRow.state == State.FAILED)
    session.execute(
        failed.values(
            state=State.QUEUED,
            error="",
            finished_at=None,
            attempts=0,
            lease_until=None,
            pieces=upload.pieces,
            owner=upload.owner or None,
        )
    )


class Waiting(NamedTuple):
    """An import that nobody works on."""

    id: str
    fence: int
    attempts: int
    """Claims since the last progress."""


def next_waiting(session: Session, tenant: str, now: datetime) -> Waiting | None:
    """The oldest import that nobody works on."""
    r = ImportRow
    free = sa.or_(r.lease_until.is_(None), r.lease_until < now)
    query = sa.select(r.id, r.fence, r.attempts).where(r.tenant == tenant, _unfinished(), free)
    found = session.execute(query.order_by(r.received_at, r.id).limit(1)).first()
    return Waiting(*found) if found else None


def claim(session: Session, job_id: str, fence: int, lease_until: datetime) -> Claim | None:
    """Take an import, unless another worker was faster."""
    mine = sa.update(ImportRow).where(ImportRow.id == job_id, ImportRow.fence == fence, _unfinished())
    taken = mine.values(
        state=State.RUNNING, fence=fence + 1, attempts=ImportRow.attempts + 1, lease_until=lease_until
    ).returning(ImportRow)
    row = session.scalar(taken)
    return Claim(row.to_domain(), row.fence) if row else None


def hold(session: Session, held: Claim, lease_until: datetime | None) -> None:
    """Set the end of the lease, and lock the row until the transaction ends. Raises: LeaseLost."""
    _change(session, held, lease_until=lease_until)


def advance(session: Session, held: Claim, counts: Counts, bytes_done: int) -> None:
    """Move the checkpoint. Raises: LeaseLost."""
    _change(session, held, **asdict(counts), bytes_done=bytes_done, attempts=0)


def begin_anew(session: Session, held: Claim, readers: int) -> Claim:
    """Forget how far an import came; samples stay, and are duplicates the second time. Raises: LeaseLost."""
    _change(session, held, **asdict(Counts()), bytes_done=0, readers=readers)
    session.execute(sa.delete(RejectRow).where(RejectRow.job == held.job.id))
    return replace(held, job=replace(held.job, counts=Counts(), readers=readers))


def finish(session: Session, held: Claim, state: State, error: str, now: datetime) -> None:
    """Say that an import is over. Raises: LeaseLost."""
    done = {"bytes_done": held.job.upload.size} if state is State.SUCCEEDED else {}
    _change(session, held, state=state, error=error, finished_at=now, lease_until=None, **done)


def _change(session: Session, held: Claim, **values: Any) -> None:
    mine = sa.update(ImportRow).where(ImportRow.id == held.job.id, ImportRow.fence == held.fence)
    if not change_rows(session, mine.values(**values)):
        raise LeaseLost


def _unfinished() -> sa.ColumnElement[bool]:
    return ImportRow.state.in_([State.QUEUED, State.RUNNING])


def add_rejects(session: Session, job_id: str, rejects: Sequence[Reject]) -> None:
    """List rejected records."""
    rows = [{"job": job_id, "number": r.number, "place": r.place, **asdict(r.problem)} for r in rejects]
    if rows:
        session.execute(sa.insert(RejectRow), rows)


def rejects_after(session: Session, job_id: str, number: int, limit: int) -> list[Reject]:
    """Rejected records behind a number, in the order of the file."""
    query = sa.select(RejectRow).where(RejectRow.job == job_id, RejectRow.number > number)
    rows = session.scalars(query.order_by(RejectRow.number).limit(limit))
    return [Reject(r.number, r.place, FieldProblem(r.field, r.problem, r.fix)) for r in rows]


def _sender(text: str) -> Asker:
    known = json.loads(text)
    request_id = known.pop("request_id")
    return Asker(Principal(**{**known, "role": Role(known["role"])}), request_id)
