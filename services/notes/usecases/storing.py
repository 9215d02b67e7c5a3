"""Taking notes in, and what becomes of older ones by it; each change with its audit event in the same transaction."""

from __future__ import annotations

from typing import Literal

from sqlalchemy.orm import Session

from services.notes import store
from services.notes.clinical.analysis import Analysis
from services.notes.domain import Ending, Link, NewNote, Note, Receipt, Relation
from services.notes.errors import InvalidNote, NoteNotCurrent
from services.notes.texts import seal_text
from services.notes.usecases.asking import Asker
from services.notes.usecases.reads import find_note
from shared.erasure import enter
from shared.errors import AppError, FieldProblem
from shared.hl7v2.problems import RefusedMessage
from shared.ids import uuid7
from shared.intake import is_late
from shared.storing import basis_of
from shared.web import Runtime

_TELLABLE = frozenset(
    {"patient", "authored", "type", "text", "body", "Content-Type", "replaces", "relation", "names", "format"}
    | {f"ClinicalDocument.{name}" for name in ("recordTarget", "effectiveTime", "code", "component")}
)
"""What an event may name as wrong. Other names were chosen by the sender and could say anything."""
_NAME_THE_STANDING = "name the note that stands: see `supersededBy` of GET /notes/{id}"


def store_note(
    session: Session, runtime: Runtime, asker: Asker, content: NewNote, analysis: Analysis, link: Link | None = None
) -> Receipt:
    """Store a note once with what was found in it, and link it to the older note that it replaces or adds to.

    The same content again gives the first one's receipt, and no second event.
    Raises: InvalidNote: the link names no note of this patient. NoteNotCurrent.
    """
    enter(session, [runtime.events.pseudonyms.patient(runtime.common.tenant, content.patient)])
    target = _target(session, runtime.common.tenant, content, link) if link else None
    receipt = _store(session, runtime, asker, content, analysis)
    if link and target:
        _link(session, runtime, asker, receipt.note, target, link.relation)
    return receipt


def cancel_note(session: Session, runtime: Runtime, asker: Asker, note: Note) -> bool:
    """Withdraw a note without a replacement: from now on it is no evidence. False: it no longer stood."""
    now = runtime.clock()
    ended = store.end(session, note.id, Ending(now, by_id=None), now)
    if ended:
        _record(session, runtime, asker, note, "note-cancelled", "U", {"late": True})
    return ended


def record_refusal(session: Session, runtime: Runtime, asker: Asker, error: AppError) -> None:
    """Put into the log that a note was refused, and why. Neither its content nor its patient is in the event."""
    named = {field.field for field in error.fields}
    # The fields of a message are named by our own tables.
    told = named if isinstance(error, RefusedMessage) else named & _TELLABLE
    event = runtime.events.event(
        asker.principal,
        "ingest",
        "note-refused",
        "C",
        outcome="refused",
        reason=error.slug,
        kind="note",
        consent=basis_of(error),
        request_id=asker.request_id,
        details={"status": error.status, "fields": sorted(told)},
    )
    runtime.record(session, event)


def _target(session: Session, tenant: str, content: NewNote, link: Link) -> Note:
    target = find_note(session, tenant, link.target_id)
    if target is None or target.content.patient != content.patient:
        raise _wrong_link("replaces", "is no note of this patient", "send the id that POST /notes gave")
    if target.digest == content.digest:
        raise _wrong_link("replaces", "is this very note", "send the id of an older note")
    if content.authored < target.content.authored:
        fix = "send the time at which the new text was written"
        raise _wrong_link("authored", "lies before that of the note named by `replaces`", fix)
    return target


def _wrong_link(field: str, problem: str, fix: str) -> InvalidNote:
    return InvalidNote([FieldProblem(field, problem, fix)])


def _store(session: Session, runtime: Runtime, asker: Asker, content: NewNote, analysis: Analysis) -> Receipt:
    tenant = runtime.common.tenant
    note = Note(uuid7(), content.digest, content, runtime.clock())
    if not store.add(session, tenant, note, seal_text(session, runtime, content)):
        known = store.find_by_digest(session, tenant, note.digest)
        if known is None:
            raise RuntimeError("a note that conflicts with none")
        return Receipt(known, duplicate=True)
    store.add_analysis(session, note.id, analysis)
    late = is_late(content.authored, note.received_at)
    details = {"documentType": content.type, "characters": len(content.text), "late": late}
    _record(session, runtime, asker, note, "note-stored", "C", details)
    return Receipt(note, duplicate=False)


def _link(session: Session, runtime: Runtime, asker: Asker, note: Note, target: Note, relation: Relation) -> None:
    """Link two stored notes; the same link again changes nothing."""
    if _is_linked(note, target, relation):
        return
    if note.ending is not None:
        raise NoteNotCurrent("text", "send the note that stands now, with its own time")
    if relation is Relation.APPENDS:
        done = target.ending is None and store.append(session, note.id, target.id)
        subtype = "note-appended"
    else:
        done = store.end(session, target.id, Ending(note.content.authored, note.id), runtime.clock())
        subtype = "note-superseded"
    if not done:
        raise NoteNotCurrent("replaces", _NAME_THE_STANDING)
    _record(session, runtime, asker, target, subtype, "U", {"by": note.id, "late": True})


def _is_linked(note: Note, target: Note, relation: Relation) -> bool:
    if relation is Relation.APPENDS:
        return note.appends_to == target.id
    return target.ending is not None and target.ending.by_id == note.id


def _record(
    session: Session,
    runtime: Runtime,
    asker: Asker,
    note: Note,
    subtype: str,
    action: Literal["C", "U"],
    details: dict[str, object],
) -> None:
    event = runtime.events.event(
        asker.principal,
        "ingest",
        subtype,
        action,
        patient=note.content.patient,
        kind="note",
        object_id=note.id,
        digest=note.digest,
        request_id=asker.request_id,
        details=details,
    )
    runtime.record(session, event)
