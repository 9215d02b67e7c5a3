"""Rows of the notes service and every query on them. Functions take and give domain types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from services.notes.domain import NewNote, Note
from shared.database import UtcDateTime, new_metadata
from shared.outbox import OutboxMixin


class Base(DeclarativeBase):
    """All tables of the notes service."""

    metadata = new_metadata()


class OutboxRow(OutboxMixin, Base):
    """Audit events on their way."""


class NoteRow(Base):
    """One stored note. It is written once and never changed."""

    __tablename__ = "note"
    __table_args__ = (
        sa.UniqueConstraint("tenant", "digest", name="uq_note_digest"),
        sa.Index("ix_note_patient", "tenant", "patient", "authored"),
    )

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    tenant: Mapped[str] = mapped_column(sa.String(64))
    digest: Mapped[str] = mapped_column(sa.String(80))
    patient: Mapped[str] = mapped_column(sa.String(64))
    authored: Mapped[datetime] = mapped_column(UtcDateTime)
    type: Mapped[str] = mapped_column(sa.String(16))
    text: Mapped[str] = mapped_column(sa.Text)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def to_domain(self) -> Note:
        """The note as the use cases know it."""
        return Note(self.id, self.digest, NewNote(self.patient, self.authored, self.type, self.text), self.received_at)


def add(session: Session, tenant: str, note: Note) -> bool:
    """Store a note unless one with its digest is stored. False: it was, and nothing changed."""
    content = note.content
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    row = insert(NoteRow).values(
        id=note.id,
        tenant=tenant,
        digest=note.digest,
        patient=content.patient,
        authored=content.authored,
        type=content.type,
        text=content.text,
        received_at=note.received_at,
    )
    # Two senders of the same note at once: the second waits for the first one's commit, and then conflicts.
    unless_known = row.on_conflict_do_nothing(index_elements=["tenant", "digest"]).returning(NoteRow.id)
    return session.scalar(unless_known) is not None


def find(session: Session, tenant: str, note_id: str) -> Note | None:
    """The note with this id."""
    row = session.scalar(sa.select(NoteRow).where(NoteRow.tenant == tenant, NoteRow.id == note_id))
    return row.to_domain() if row else None


def find_by_digest(session: Session, tenant: str, digest: str) -> Note | None:
    """The note with this content."""
    row = session.scalar(sa.select(NoteRow).where(NoteRow.tenant == tenant, NoteRow.digest == digest))
    return row.to_domain() if row else None


def list_of_patient(
    session: Session,
    tenant: str,
    patient: str,
    *,
    until: datetime | None = None,
    after: Note | None = None,
    limit: int | None = None,
) -> Sequence[Note]:
    """Notes of a patient, newest first: authored at or before `until`, and following the note `after` in this order."""
    query = sa.select(NoteRow).where(NoteRow.tenant == tenant, NoteRow.patient == patient)
    if until is not None:
        query = query.where(NoteRow.authored <= until)
    if after is not None:
        # Several notes may have one time: the id decides between them.
        query = query.where(sa.tuple_(NoteRow.authored, NoteRow.id) < (after.content.authored, after.id))
    newest_first = query.order_by(NoteRow.authored.desc(), NoteRow.id.desc()).limit(limit)
    return [row.to_domain() for row in session.scalars(newest_first)]


def knows_patient(session: Session, tenant: str, patient: str) -> bool:
    """Whether any note of this patient is stored."""
    found = sa.select(NoteRow.id).where(NoteRow.tenant == tenant, NoteRow.patient == patient).limit(1)
    return session.scalar(found) is not None
