"""Giving notes out, each with its audit event in the same transaction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from services.notes import store
from services.notes.clinical.analysis import Analysis, analyse
from services.notes.clinical.language import Language
from services.notes.domain import Note
from services.notes.errors import InvalidSearch, NoSuchNote
from services.notes.texts import with_text
from services.notes.usecases.asking import Asker
from shared.errors import FieldProblem
from shared.intake import patient_problem
from shared.web import Runtime

_ID = re.compile(r"[0-9a-f-]{36}")


def read_note(session: Session, runtime: Runtime, asker: Asker, note_id: str) -> Note:
    """A note with its text. Raises: NoSuchNote, NoteDamaged."""
    found = find_note(session, runtime.common.tenant, note_id)
    if found is None:
        raise NoSuchNote
    note = with_text(runtime, found)
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


def analysis_of(session: Session, note: Note) -> Analysis:
    """What was found in a note when it came; one stored before notes were analysed is analysed now, once."""
    found = store.find_analyses(session, [note.id]).get(note.id)
    if found is None:
        found = analyse(note.content.text, {note.content.patient})
        store.add_analysis(session, note.id, found)
    return found


def languages_of(session: Session, notes: Sequence[Note]) -> dict[str, Language]:
    """Note -> its language, of those that were analysed."""
    analyses = store.find_analyses(session, [note.id for note in notes])
    return {note_id: analysis.language for note_id, analysis in analyses.items()}


def search_notes(
    session: Session, runtime: Runtime, asker: Asker, patient: str, *, limit: int, before: str | None
) -> tuple[list[Note], str | None]:
    """One page of a patient's notes, newest first, and where the next one begins.

    Raises: InvalidSearch: `patient` can be no patient's, or `before` names no note of this patient.
    """
    tenant = runtime.common.tenant
    if problem := patient_problem(patient):
        raise InvalidSearch(problem)
    after = find_note(session, tenant, before) if before else None
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
    """Whether anything of this patient is known, and the notes that stood at `as_of`, newest first.

    A note stands from the time it was authored until its replacement was, or until its cancellation came.
    """
    if patient_problem(patient):
        return False, []
    notes = list(store.list_standing(session, tenant, patient, as_of))
    return bool(notes) or store.knows_patient(session, tenant, patient), notes


def find_note(session: Session, tenant: str, note_id: str) -> Note | None:
    """The note with this id, whatever text the id is."""
    # PostgreSQL refuses some texts outright (NUL); none of them is an id.
    return store.find(session, tenant, note_id) if _ID.fullmatch(note_id) else None
