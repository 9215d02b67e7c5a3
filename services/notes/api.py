"""The doors of the notes service: `/notes` for people and the EHR, `/internal/notes` for the diagnosis service."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from services.notes.clinical.analysis import Analysis
from services.notes.clinical.identifiers.span import mask
from services.notes.clinical.language import Language
from services.notes.domain import Link, NewNote, Note
from services.notes.intake import CDA_TYPES, read_body, read_document, read_note
from services.notes.schemas import NoteAnalysis, NoteHeading, NoteIn, NoteOut, NotePage, NoteReceipt, NoteSearch
from services.notes.settings import Settings
from services.notes.usecases import reads, storing
from services.notes.usecases.asking import Asker
from shared.auth import Principal, Role, require
from shared.contracts.base import Modality
from shared.contracts.evidence import EvidenceList, EvidenceQuestion, EvidenceRef, NoteContent
from shared.database import reading
from shared.errors import AppError, Conflict, UnsupportedMediaType
from shared.openapi import refusals
from shared.web import RequestIdDep, Runtime, RuntimeDep, SessionDep

router = APIRouter(tags=["notes"])
internal = APIRouter(prefix="/internal/notes", tags=["internal"])
ROUTERS = (router, internal)

Clinical = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM))]
Sender = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM, scope="DocumentReference.c"))]
Reader = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM, scope="DocumentReference.r"))]
Service = Annotated[Principal, Depends(require(Role.SERVICE))]


async def sent_note(
    request: Request, principal: Sender, runtime: RuntimeDep, request_id: RequestIdDep
) -> tuple[NewNote, Analysis, Link | None]:
    """FastAPI dependency: the note in the body, what is found in it, and what it is to an older one.

    A refusal is put into the log first.
    """
    settings: Settings = request.app.state.settings
    try:
        body, is_xml = await read_body(request, settings)
        read = read_document if is_xml else read_note
        sent = await run_in_threadpool(read, body, runtime.clock(), settings)
        await run_in_threadpool(runtime.storing.check, principal, [sent[0].patient], Modality.NOTE)
        return sent
    except AppError as error:
        await run_in_threadpool(_record_refusal, runtime, Asker(principal, request_id), error)
        raise


def _record_refusal(runtime: Runtime, asker: Asker, error: AppError) -> None:
    with runtime.sessions.begin() as session:
        storing.record_refusal(session, runtime, asker, error)
    runtime.wake_relay()


SentNote = Annotated[tuple[NewNote, Analysis, Link | None], Depends(sent_note)]
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": NoteIn.model_json_schema()},
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in CDA_TYPES},
        },
    }
}
_RECEIPTS: dict[int | str, dict[str, Any]] = {
    200: {"model": NoteReceipt, "description": "The same note was stored before."},
    **refusals(Conflict, UnsupportedMediaType),
}


# `sent` stands before `session`: a database transaction begins only when the body is read and checked.
@router.post("/notes", status_code=201, responses=_RECEIPTS, openapi_extra=_BODY)
def post_note(
    principal: Sender,
    sent: SentNote,
    session: SessionDep,
    runtime: RuntimeDep,
    request_id: RequestIdDep,
    response: Response,
) -> NoteReceipt:
    """Store a clinical note: JSON, or a CDA document. The same note again answers 200 with the first one's id.

    With `replaces` it takes the place of an older note, or, with `relation` `appends`, adds to it.
    """
    asker = Asker(principal, request_id)
    try:
        receipt = storing.store_note(session, runtime, asker, *sent)
    except AppError as error:
        # What was begun is undone first: the refusal needs a transaction of its own.
        session.rollback()
        _record_refusal(runtime, asker, error)
        raise
    response.status_code = 200 if receipt.duplicate else 201
    response.headers["Location"] = f"/notes/{receipt.note.id}"
    return NoteReceipt.from_domain(receipt)


@router.get("/notes/{note_id}")
def get_note(
    note_id: str, principal: Reader, session: SessionDep, runtime: RuntimeDep, request_id: RequestIdDep
) -> NoteOut:
    """A note with its text, verbatim."""
    return NoteOut.from_domain(reads.read_note(session, runtime, Asker(principal, request_id), note_id))


@router.get("/notes/{note_id}/analysis")
def get_analysis(
    note_id: str, principal: Clinical, session: SessionDep, runtime: RuntimeDep, request_id: RequestIdDep
) -> NoteAnalysis:
    """The sections of a note and the findings in it, each with how it is meant, as offsets into its text."""
    note = reads.read_note(session, runtime, Asker(principal, request_id), note_id)
    return NoteAnalysis.from_domain(note, reads.analysis_of(session, note))


@router.post("/notes/search")
def search_notes(
    query: NoteSearch, principal: Clinical, session: SessionDep, runtime: RuntimeDep, request_id: RequestIdDep
) -> NotePage:
    """The notes of a patient, newest first, without their texts."""
    asker = Asker(principal, request_id)
    page, rest = reads.search_notes(session, runtime, asker, query.patient, limit=query.limit, before=query.before)
    return NotePage(items=[NoteHeading.heading_of(note) for note in page], next=rest)


@internal.post("/evidence")
def list_evidence(question: EvidenceQuestion, principal: Service, runtime: RuntimeDep) -> EvidenceList:
    """What is known of a patient, without any content."""
    with reading(runtime.sessions) as session:
        known, notes = reads.list_evidence(session, runtime.common.tenant, question.patient, question.as_of)
        languages = reads.languages_of(session, notes)
    return EvidenceList(known=known, items=[_reference(note, languages.get(note.id)) for note in notes])


@internal.get("/evidence/{note_id}")
def get_evidence(
    note_id: str, principal: Service, session: SessionDep, runtime: RuntimeDep, request_id: RequestIdDep
) -> NoteContent:
    """A note as the networks read it: with spaces in the place of what identifies somebody."""
    note = reads.read_note(session, runtime, Asker(principal, request_id), note_id)
    content, analysis = note.content, reads.analysis_of(session, note)
    return NoteContent(
        id=note.id,
        digest=note.digest,
        authored=content.authored,
        type=content.type,
        text=mask(content.text, analysis.identifiers),
        language=analysis.language.code,
    )


def _reference(note: Note, language: Language | None) -> EvidenceRef:
    # A note stored before languages were told is told when its content is read.
    told = {"language": language.code} if language else {}
    return EvidenceRef(
        id=note.id,
        kind=Modality.NOTE,
        digest=note.digest,
        effective_at=note.content.authored,
        received_at=note.received_at,
        quality={
            "characters": note.characters,
            "type": note.content.type,
            "status": note.status.value,
            **told,
        },
    )
