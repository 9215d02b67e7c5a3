"""Reads the body of `POST /notes`: bytes to a note that passed all checks, or an error that names field and fix."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from services.notes.cda.document import read_cda
from services.notes.clinical.analysis import Analysis, analyse
from services.notes.document_types import type_problem
from services.notes.domain import Link, NewNote, Relation, text_problem
from services.notes.errors import BodyTooLong, InvalidNote, NotADocument, NoteTooLong, NotJson
from services.notes.rtf.notes import text_of_rtf
from services.notes.schemas import NoteIn
from services.notes.settings import Settings
from shared.errors import FieldProblem, fields_of
from shared.intake import NotStrictJson, patient_problem, read_time, strict_json

CDA_TYPES = ("application/xml", "text/xml", "application/cda", "application/cda+xml", "application/hl7-v3+xml")


async def read_body(request: Request, settings: Settings) -> tuple[bytes, bool]:
    """The body, if it says that it is JSON or XML and is not too long; and whether it is XML.

    Raises: NotADocument, BodyTooLong.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", *CDA_TYPES):
        raise NotADocument
    try:
        return await request.body(), kind in CDA_TYPES
    except HTTPException as error:
        # `BodyLimit` cannot say it better while the body is being read.
        raise BodyTooLong(settings.max_body_bytes) from error


def read_note(body: bytes, now: datetime, settings: Settings) -> tuple[NewNote, Analysis, Link | None]:
    """The note in a body, what is found in it, and to which older note it relates.

    Raises: NotJson, NoteTooLong, InvalidNote.
    """
    try:
        document = strict_json(body)
    except NotStrictJson as error:
        raise NotJson(str(error)) from None
    if not isinstance(document, dict):
        raise NotJson("is not a JSON object")
    try:
        sent = NoteIn.model_validate(document)
    except ValidationError as error:
        raise InvalidNote(fields_of(RequestValidationError(error.errors(include_url=False)))) from None
    if sent.format == "rtf":
        sent = _plain(sent)
    if len(sent.text.encode("utf-8", "surrogatepass")) > settings.max_text_bytes:
        raise NoteTooLong(settings.max_text_bytes)
    if sent.format == "cda":
        return _of_patient(sent, now, settings)
    note, link = _checked(sent, now)
    return note, analyse(note.text, {sent.patient, *_words(sent.names)}), link


def read_document(body: bytes, now: datetime, settings: Settings) -> tuple[NewNote, Analysis, Link | None]:
    """The note that is a CDA document, by its own header. Raises: InvalidNote, NoteTooLong."""
    document = read_cda(body, now, settings)
    note = document.to_note()
    return note, analyse(note.text, document.people), None


def _plain(sent: NoteIn) -> NoteIn:
    """The same with the words of its rich text, which may be much longer than they are: it holds pictures."""
    text = text_of_rtf(sent.text, "text")
    if isinstance(text, FieldProblem):
        raise InvalidNote([text])
    return sent.model_copy(update={"text": text})


def _of_patient(sent: NoteIn, now: datetime, settings: Settings) -> tuple[NewNote, Analysis, Link | None]:
    """The narrative of a CDA document under the type and time that were sent beside it."""
    document = read_cda(sent.text, now, settings)
    note, link = _checked(sent.model_copy(update={"text": document.text}), now)
    if note.patient not in document.patients:
        problem = "is not the patient of the document"
        raise InvalidNote([FieldProblem("patient", problem, "send one of the ids of its recordTarget")])
    return note, analyse(note.text, document.people | _words(sent.names)), link


def _words(names: Sequence[str]) -> frozenset[str]:
    return frozenset(word for name in names for word in name.split())


def _checked(sent: NoteIn, now: datetime) -> tuple[NewNote, Link | None]:
    authored = read_time("authored", sent.authored, now)
    findings = (
        patient_problem(sent.patient),
        authored,
        type_problem(sent.type),
        text_problem(sent.text),
        _relation_problem(sent),
    )
    problems = [finding for finding in findings if isinstance(finding, FieldProblem)]
    if problems or isinstance(authored, FieldProblem):
        raise InvalidNote(problems)
    link = Link(sent.replaces, Relation(sent.relation or Relation.REPLACES)) if sent.replaces is not None else None
    return NewNote(sent.patient, authored, sent.type, sent.text), link


def _relation_problem(sent: NoteIn) -> FieldProblem | None:
    if sent.replaces is None and sent.relation is not None:
        return FieldProblem("relation", "stands without `replaces`", "name the older note in `replaces`, or leave both")
    return None
