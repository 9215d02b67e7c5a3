"""Rows of the notes service and every query on them. Functions take and give domain types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from services.notes.clinical.analysis import Analysis
from services.notes.domain import Ending, NewNote, Note
from shared.database import UtcDateTime, insert_into, new_metadata
from shared.erasure import ErasureMixin
from shared.hl7v2.once import MessageMixin
from shared.outbox import OutboxCounterMixin, OutboxMixin


class Base(DeclarativeBase):
    """All tables of the notes service."""

    metadata = new_metadata()


class OutboxRow(OutboxMixin, Base):
    """Audit events on their way."""


class OutboxCounterRow(OutboxCounterMixin, Base):
    """The number that an audit event was given last."""


class ErasureRow(ErasureMixin, Base):
    """Patients who were erased, by pseudonym."""


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
    """Of a note from before 2026-12; of a later one it is sealed, and this is empty."""
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sealed: Mapped[bytes | None]
    characters: Mapped[int | None]


class NoteEndRow(Base):
    """That a note ceased to be current. The primary key sees to it that it does so once."""

    __tablename__ = "note_end"

    note_id: Mapped[str] = mapped_column(sa.ForeignKey("note.id"), primary_key=True)
    by_id: Mapped[str | None] = mapped_column(sa.ForeignKey("note.id"))
    """The note that took its place; none where it was cancelled."""
    effective_at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def to_domain(self) -> Ending:
        """The ending as the use cases know it."""
        return Ending(self.effective_at, self.by_id)


class NoteAddendumRow(Base):
    """That a note adds to another one, which stays current."""

    __tablename__ = "note_addendum"

    note_id: Mapped[str] = mapped_column(sa.ForeignKey("note.id"), primary_key=True)
    target_id: Mapped[str] = mapped_column(sa.ForeignKey("note.id"))


class NoteAnalysisRow(Base):
    """What was found in the text of a note. It is written once: a case computed again meets what it met before."""

    __tablename__ = "note_analysis"

    note_id: Mapped[str] = mapped_column(sa.ForeignKey("note.id"), primary_key=True)
    version: Mapped[int]
    body: Mapped[str] = mapped_column(sa.Text)


class MessageRow(MessageMixin, Base):
    """An HL7 v2 message that was taken: who sent it under which control id (as a digest), and what it said."""


class DocumentRow(Base):
    """A version of a document that a sender knows by a number of its own (kept as a digest)."""

    __tablename__ = "hl7_document"

    tenant: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    note_id: Mapped[str] = mapped_column(sa.ForeignKey("note.id"), primary_key=True)


def add(session: Session, tenant: str, note: Note, sealed: bytes) -> bool:
    """Store a note, its text sealed, unless one with its digest is stored. False: it was, and nothing changed."""
    content = note.content
    row = insert_into(session, NoteRow).values(
        id=note.id,
        tenant=tenant,
        digest=note.digest,
        patient=content.patient,
        authored=content.authored,
        type=content.type,
        text="",
        sealed=sealed,
        characters=len(content.text),
        received_at=note.received_at,
    )
    # Two senders of the same note at once: the second waits for the first one's commit, and then conflicts.
    unless_known = row.on_conflict_do_nothing(index_elements=["tenant", "digest"]).returning(NoteRow.id)
    return session.scalar(unless_known) is not None


def add_analysis(session: Session, note_id: str, analysis: Analysis) -> None:
    """Keep what was found in a note, unless something was before."""
    row = insert_into(session, NoteAnalysisRow).values(
        note_id=note_id, version=analysis.version, body=analysis.to_json()
    )
    session.execute(row.on_conflict_do_nothing(index_elements=["note_id"]))


def find_analyses(session: Session, note_ids: Sequence[str]) -> dict[str, Analysis]:
    """Note -> what was found in it; those not analysed yet are absent."""
    query = sa.select(NoteAnalysisRow).where(NoteAnalysisRow.note_id.in_(note_ids))
    return {row.note_id: Analysis.from_json(row.body) for row in session.scalars(query)}


def end(session: Session, note_id: str, ending: Ending, now: datetime) -> bool:
    """Record that a note is no longer current. False: it was not before, and nothing changed."""
    row = insert_into(session, NoteEndRow).values(
        note_id=note_id, by_id=ending.by_id, effective_at=ending.at, recorded_at=now
    )
    unless_ended = row.on_conflict_do_nothing(index_elements=["note_id"]).returning(NoteEndRow.note_id)
    return session.scalar(unless_ended) is not None


def append(session: Session, note_id: str, target_id: str) -> bool:
    """Record that a note adds to another. False: it adds to one already, and nothing changed."""
    row = insert_into(session, NoteAddendumRow).values(note_id=note_id, target_id=target_id)
    unless_known = row.on_conflict_do_nothing(index_elements=["note_id"]).returning(NoteAddendumRow.note_id)
    return session.scalar(unless_known) is not None


def lock_documents(session: Session, tenant: str, keys: Sequence[str]) -> None:
    """Wait for other transactions on these documents: two first versions at once would both stand."""
    if session.get_bind().dialect.name == "postgresql":
        # In one order, so that two never wait for one another. SQLite has one writer at a time.
        for key in sorted(keys):
            lock = sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(f"{tenant} {key}", 0))
            session.execute(sa.select(lock))


def add_version(session: Session, tenant: str, key: str, note_id: str) -> None:
    """Record that a note is a version of a sender's document."""
    row = insert_into(session, DocumentRow).values(tenant=tenant, key=key, note_id=note_id)
    session.execute(row.on_conflict_do_nothing(index_elements=["tenant", "key", "note_id"]))


def find_version(session: Session, tenant: str, key: str) -> Note | None:
    """The version of a sender's document that stands; where none does, the last one."""
    versions = sa.select(DocumentRow.note_id).where(DocumentRow.tenant == tenant, DocumentRow.key == key)
    standing_first = _NOTES.where(NoteRow.id.in_(versions)).order_by(NoteEndRow.note_id.is_not(None), NoteRow.id.desc())
    found = session.execute(standing_first.limit(1)).one_or_none()
    return _note(found) if found else None


def find(session: Session, tenant: str, note_id: str) -> Note | None:
    """The note with this id."""
    return _one(session, _NOTES.where(NoteRow.tenant == tenant, NoteRow.id == note_id))


def find_by_digest(session: Session, tenant: str, digest: str) -> Note | None:
    """The note with this content."""
    return _one(session, _NOTES.where(NoteRow.tenant == tenant, NoteRow.digest == digest))


def list_of_patient(
    session: Session, tenant: str, patient: str, *, after: Note | None = None, limit: int | None = None
) -> Sequence[Note]:
    """Notes of a patient, newest first, whatever became of them; those that follow the note `after` in this order."""
    query = _NOTES.where(NoteRow.tenant == tenant, NoteRow.patient == patient)
    if after is not None:
        # Several notes may have one time: the id decides between them.
        query = query.where(sa.tuple_(NoteRow.authored, NoteRow.id) < (after.content.authored, after.id))
    return _many(session, query.limit(limit))


def list_standing(session: Session, tenant: str, patient: str, as_of: datetime | None) -> Sequence[Note]:
    """Notes of a patient that stood at a time (None: that stand now), newest first."""
    query = _NOTES.where(NoteRow.tenant == tenant, NoteRow.patient == patient)
    if as_of is None:
        return _many(session, query.where(NoteEndRow.note_id.is_(None)))
    unended = sa.or_(NoteEndRow.note_id.is_(None), NoteEndRow.effective_at > as_of)
    return _many(session, query.where(NoteRow.authored <= as_of, unended))


def knows_patient(session: Session, tenant: str, patient: str) -> bool:
    """Whether any note of this patient is stored."""
    found = sa.select(NoteRow.id).where(NoteRow.tenant == tenant, NoteRow.patient == patient).limit(1)
    return session.scalar(found) is not None


_Found = sa.Select[NoteRow, NoteEndRow, NoteAddendumRow]
_NOTES: _Found = (
    sa.select(NoteRow, NoteEndRow, NoteAddendumRow)
    .outerjoin(NoteEndRow, NoteEndRow.note_id == NoteRow.id)
    .outerjoin(NoteAddendumRow, NoteAddendumRow.note_id == NoteRow.id)
)


def _one(session: Session, query: _Found) -> Note | None:
    found = session.execute(query).one_or_none()
    return _note(found) if found else None


def _many(session: Session, query: _Found) -> list[Note]:
    newest_first = query.order_by(NoteRow.authored.desc(), NoteRow.id.desc())
    return [_note(found) for found in session.execute(newest_first)]


def _note(found: sa.Row[NoteRow, NoteEndRow, NoteAddendumRow]) -> Note:
    # The types know no outer joins: the last two may be None.
    row, ended, addendum = found
    return Note(
        row.id,
        row.digest,
        NewNote(row.patient, row.authored, row.type, row.text),
        row.received_at,
        ended.to_domain() if ended else None,
        addendum.target_id if addendum else None,
        row.sealed,
        row.characters,
    )
