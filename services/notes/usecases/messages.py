"""Taking HL7 v2 messages in: each once, and what it asks for, in one transaction with the audit events."""

from __future__ import annotations

from sqlalchemy.orm import Session

from services.notes import store
from services.notes.clinical.analysis import Analysis
from services.notes.domain import Link, NewNote, Note, NoteStatus, Relation
from services.notes.errors import InvalidNote, NoteNotCurrent
from services.notes.hl7.documents import Document
from services.notes.hl7.requests import Act
from services.notes.usecases.asking import Asker
from services.notes.usecases.storing import cancel_note, store_note
from shared.erasure import enter
from shared.errors import Unavailable
from shared.hl7v2.message import Message
from shared.hl7v2.once import claim
from shared.hl7v2.problems import Fault, Kind, RefusedMessage
from shared.web import Runtime

_OLDER = {
    "authored": ("lies before the time of the older document", "send the time at which the new text was written"),
    "text": (
        "repeats a document that was replaced or cancelled",
        "send the text that stands now, with the time of its edit",
    ),
    "replaces": ("names a document that was replaced or cancelled", "name the document that stands"),
}
"""What can be wrong with a version of a note, in the words of a message."""


def take_message(
    session: Session, runtime: Runtime, asker: Asker, message: Message, document: Document, analysis: Analysis | None
) -> None:
    """Do what a message asks for, unless the same message was taken before.

    Args:
        analysis: what was found in the document's text; None where it has none.
    Raises: RefusedMessage: its control id was another message's, or what it asks for cannot be done.
    """
    tenant = runtime.common.tenant
    subject_ref = runtime.events.pseudonyms.patient(tenant, document.patient)
    enter(session, [subject_ref])
    if claim(session, store.MessageRow, tenant, message, subject_ref, runtime.clock()):
        _act(session, runtime, asker, document, analysis)


def _act(session: Session, runtime: Runtime, asker: Asker, document: Document, analysis: Analysis | None) -> None:
    numbers = [number for number in (document.number, document.parent) if number]
    store.lock_documents(session, runtime.common.tenant, numbers)
    known = _version(session, runtime, document, document.number, document.number_field)
    if document.note is None or analysis is None:
        _cancel(session, runtime, asker, known)
        return
    target = _target(session, runtime, document, document.note, known)
    try:
        link = Link(target.id, _relation(document)) if target else None
        receipt = store_note(session, runtime, asker, document.note, analysis, link)
    except (InvalidNote, NoteNotCurrent) as error:
        if isinstance(error, NoteNotCurrent) and target and target.ending is None:
            raise _overtaken() from error
        raise RefusedMessage(*(_in_words_of(document, found.field) for found in error.fields)) from None
    if receipt.note.ending:
        raise RefusedMessage(_in_words_of(document, "text"))
    if document.number:
        store.add_version(session, runtime.common.tenant, document.number, receipt.note.id)


def _cancel(session: Session, runtime: Runtime, asker: Asker, known: Note | None) -> None:
    if known is None:
        raise RefusedMessage(_unknown("TXA-12"))
    if known.status is NoteStatus.SUPERSEDED:
        raise RefusedMessage(Fault("TXA-12", *_OLDER["replaces"], Kind.UNKNOWN_KEY))
    # Cancelled before: it is as the sender wants it.
    if known.ending is None and not cancel_note(session, runtime, asker, known):
        raise _overtaken()


def _target(session: Session, runtime: Runtime, document: Document, note: NewNote, known: Note | None) -> Note | None:
    """The older note that a document replaces or adds to. Raises: RefusedMessage."""
    is_repeated = known is not None and known.digest == note.digest
    if document.act in (Act.EDIT, Act.REPORT):
        if known is None and document.act is Act.EDIT:
            raise RefusedMessage(_unknown("TXA-12"))
        return None if is_repeated else known
    if known is not None and not is_repeated:
        fix = "send an edit as MDM^T08, or a new document under a number of its own"
        raise RefusedMessage(Fault("TXA-12", "is the number of another document", fix, Kind.DUPLICATE_KEY))
    if document.parent is None:
        return None
    parent = _version(session, runtime, document, document.parent, "TXA-13")
    if parent is None:
        raise RefusedMessage(_unknown("TXA-13"))
    return parent


def _version(session: Session, runtime: Runtime, document: Document, number: str | None, field: str) -> Note | None:
    """The note that stands under a sender's number. Raises: RefusedMessage: it is another patient's."""
    known = store.find_version(session, runtime.common.tenant, number) if number else None
    if known and known.content.patient != document.patient:
        problem = f"is not the patient of the document that {field} names"
        raise RefusedMessage(Fault("PID-3", problem, f"check PID-3 and {field}", Kind.UNKNOWN_KEY))
    return known


def _relation(document: Document) -> Relation:
    return Relation.APPENDS if document.act is Act.APPEND else Relation.REPLACES


def _overtaken() -> Unavailable:
    """The other door ended the note at this moment; sent again, the message meets what stands then."""
    return Unavailable("The note was replaced or cancelled at this moment.")


def _unknown(field: str) -> Fault:
    fix = "send the document itself first (MDM^T02), from the same MSH-3 and MSH-4"
    return Fault(field, "names no document taken from this sender", fix, Kind.UNKNOWN_KEY)


def _in_words_of(document: Document, field: str) -> Fault:
    names = {"authored": document.authored_field, "text": "OBX-5"}
    names["replaces"] = "TXA-13" if document.parent else document.number_field
    return Fault(names[field], *_OLDER[field], Kind.DUPLICATE_KEY)
