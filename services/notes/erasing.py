"""What the notes service keeps of one patient, and how it goes."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.notes.store import (
    DocumentRow,
    ErasureRow,
    MessageRow,
    NoteAddendumRow,
    NoteAnalysisRow,
    NoteEndRow,
    NoteRow,
)
from shared.database import erase_rows
from shared.erasure import KEPT_EVERYWHERE, Eraser, Found, Subject
from shared.web import Runtime

KEPT = KEPT_EVERYWHERE
"""Tables that an erasure leaves alone, and why."""


def patients(session: Session, tenant: str) -> Iterable[str]:
    """Every identifier of a patient that has a note here."""
    return session.scalars(sa.select(NoteRow.patient).where(NoteRow.tenant == tenant).distinct()).all()


def erase(session: Session, _: Runtime, subject: Subject) -> Found:
    """Notes with all their versions, what was found in them, and the digests of messages about the patient."""
    mine = sa.and_(NoteRow.tenant == subject.tenant, NoteRow.patient.in_(subject.patients))
    ids = sa.select(NoteRow.id).where(mine)
    return Found({
        "note_analysis": erase_rows(session, NoteAnalysisRow, NoteAnalysisRow.note_id.in_(ids)),
        "note_end": erase_rows(session, NoteEndRow, NoteEndRow.note_id.in_(ids)),
        "note_addendum": erase_rows(session, NoteAddendumRow, NoteAddendumRow.note_id.in_(ids)),
        "hl7_document": erase_rows(session, DocumentRow, DocumentRow.note_id.in_(ids)),
        "hl7_message": erase_rows(
            session, MessageRow, MessageRow.tenant == subject.tenant, MessageRow.subject_ref == subject.subject_ref
        ),
        "note": erase_rows(session, NoteRow, mine),
    })  # fmt: skip


ERASER = Eraser("notes", ErasureRow, patients, erase)
