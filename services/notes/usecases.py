"""What the notes service does: take a note in, give notes out; each with its audit event in the same transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from services.notes import store
from services.notes.domain import NewNote, Note, Receipt
from services.notes.errors import InvalidSearch, NoSuchNote
from shared.auth import Principal
from shared.errors import AppError, FieldProblem
from shared.ids import uuid7
from shared.intake import patient_problem
from shared.web import Runtime

_ID = re.compile(r"[0-9a-f-]{36}")
_TELLABLE = frozenset({"patient", "authored", "type", "text", "body", "Content-Type"})
"""What an event may name as wrong. Other names were chosen by the sender and could say anything."""


@dataclass(frozen=True)
class Asker:
    """On whose behalf something is done."""

    principal: Principal
    request_id: str


def store_note(session: Session, runtime: Runtime, asker: Asker, content: NewNote) -> Receipt:
    """Store a note once: the same content again gives the first one's receipt, and no second event."""
    tenant = runtime.common.tenant
    note = Note(uuid7(), content.digest, content, runtime.clock())
    if not store.add(session, tenant, note):
        known = store.find_by_digest(session, tenant, note.digest)
        if known is None:
            raise RuntimeError("a note that conflicts with none")
        return Receipt(known, duplicate=True)
    details = {"documentType": content.type, "characters": len(content.text)}
    event = runtime.events.event(
        asker.principal,
        "ingest",
        "note-stored",
        "C",
        patient=content.patient,
        kind="note",
        object_id=note.id,
        digest=note.digest,
        request_id=asker.request_id,
        details=details,
    )
    runtime.record(session, event)
    return Receipt(note, duplicate=False)


def record_refusal(session: Session, runtime: Runtime, asker: Asker, error: AppError) -> None:
    """Put into the log that a note was refused, and why. Neither its content nor its patient is in the event."""
    event = runtime.events.event(
        asker.principal,
        "ingest",
        "note-refused",
        "C",
        outcome="refused",
        reason=error.slug,
        kind="note",
        request_id=asker.request_id,
        details={"status": error.status, "fields": sorted({field.field for field in error.fields} & _TELLABLE)},
    )
    runtime.record(session, event)


def read_note(session: Session, runtime: Runtime, asker: Asker, note_id: str) -> Note:
    """A note with its text. Raises: NoSuchNote."""
    note = _find(session, runtime.common.tenant, note_id)
    if note is None:
        raise NoSuchNote
    event = runtime.events.event(
        asker.principal,
        "read",
        "note-read",
        "R",
        patient=note.content.patient,
        kind="note",
        object_id=note.id,
        digest=note.digest,
        request_id=asker.request_id,
    )
    runtime.record(session, event)
    return note


def search_notes(
    session: Session, runtime: Runtime, asker: Asker, patient: str, *, limit: int, before: str | None
) -> tuple[list[Note], str | None]:
    """One page of a patient's notes, newest first, and where the next one begins.

    Raises: InvalidSearch: `patient` can be no patient's, or `before` names no note of this patient.
    """
    tenant = runtime.common.tenant
    if problem := patient_problem(patient):
        raise InvalidSearch(problem)
    after = _find(session, tenant, before) if before else None
    if before and (after is None or after.content.patient != patient):
        raise InvalidSearch(FieldProblem("before", "is not known", "send `next` of the page before"))
    found = store.list_of_patient(session, tenant, patient, after=after, limit=limit + 1)
    page, more = list(found[:limit]), len(found) > limit
    event = runtime.events.event(
        asker.principal,
        "read",
        "notes-listed",
        "R",
        patient=patient,
        kind="note",
        request_id=asker.request_id,
        details={"notes": len(page)},
    )
    runtime.record(session, event)
    return page, page[-1].id if more else None


def list_evidence(session: Session, tenant: str, patient: str, as_of: datetime | None) -> tuple[bool, list[Note]]:
    """Whether anything of this patient is known, and the notes authored at or before `as_of`, newest first."""
    if patient_problem(patient):
        return False, []
    notes = list(store.list_of_patient(session, tenant, patient, until=as_of))
    return bool(notes) or store.knows_patient(session, tenant, patient), notes


def _find(session: Session, tenant: str, note_id: str) -> Note | None:
    # PostgreSQL refuses some texts outright (NUL); none of them is an id.
    return store.find(session, tenant, note_id) if _ID.fullmatch(note_id) else None
