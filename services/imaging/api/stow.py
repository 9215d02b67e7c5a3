"""STOW-RS, the store transaction (PS3.18 section 10.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from services.imaging.api.deps import BodyDep, DecodersDep, RootDep, SenderDep, StudyUid
from services.imaging.api.stow_answer import answer
from services.imaging.dicom import multipart
from services.imaging.dicom.decoders import Decoders
from services.imaging.errors import NotADicomMessage
from shared.auth import Principal
from shared.errors import AppError, BadRequest, FieldProblem, problem_response
from shared.web import RequestIdDep, Runtime, RuntimeDep, SessionDep

router = APIRouter(prefix="/dicomweb", tags=["dicomweb"])

DICOM = "application/dicom"
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            'multipart/related; type="application/dicom"': {"schema": {"type": "string", "format": "binary"}},
            DICOM: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "All instances are stored.", "content": {"application/dicom+json": {}}},
    202: {
        "description": "Some instances are stored; FailedSOPSequence lists the others.",
        "content": {"application/dicom+json": {}},
    },
    400: {"description": "No DICOM instance could be read.", "content": {"application/problem+json": {}}},
    403: {"description": "The patient's consent lets none be stored.", "content": {"application/problem+json": {}}},
    409: {
        "description": "No instance was stored; `errors` and FailedSOPSequence say why.",
        "content": {"application/problem+json": {}},
    },
    415: {"description": "Not a media type that this service takes.", "content": {"application/problem+json": {}}},
}


@router.post("/studies", openapi_extra=_BODY, responses=_ANSWERS, response_class=Response)
def store_instances(
    request: Request,
    body: BodyDep,
    principal: SenderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> Response:
    """Store DICOM instances of any studies. What this answers as stored is durable."""
    return _store(request, body, principal, session, runtime, decoders, request_id, root, None)


@router.post("/studies/{study}", openapi_extra=_BODY, responses=_ANSWERS, response_class=Response)
def store_instances_of_study(
    request: Request,
    study: StudyUid,
    body: BodyDep,
    principal: SenderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> Response:
    """Store DICOM instances of one study; an instance of another study is refused."""
    return _store(request, body, principal, session, runtime, decoders, request_id, root, study)


def _store(
    request: Request,
    body: bytes,
    principal: Principal,
    session: SessionDep,
    runtime: Runtime,
    decoders: Decoders,
    request_id: str,
    root: str,
    study: str | None,
) -> Response:
    from services.imaging.usecases import ingest

    visit = ingest.Visit(principal, "stow-rs", request_id)
    try:
        contents = _instances_in(body, request.headers.get("content-type", ""))
    except AppError as error:
        # Answered, not raised: the transaction that holds the audit event must be committed.
        ingest.record_refused_request(session, runtime, error.slug, visit)
        return problem_response(error)
    examined = [ingest.examine(runtime, content, decoders, visit, study_instance_uid=study) for content in contents]
    outcomes = ingest.file_instances(session, runtime, examined, visit)
    return answer(outcomes, root, request.headers.get("accept", ""))


def _instances_in(body: bytes, content_type: str) -> Sequence[bytes]:
    """The DICOM files that a request carries.

    Raises: NotADicomMessage, MalformedMultipart, BadRequest.
    """
    media_type, parameters = multipart.parameters(content_type)
    if media_type == DICOM:
        return [_not_empty(body)]
    if media_type != "multipart/related" or parameters.get("type", DICOM).lower() != DICOM:
        raise _not_dicom_message("is not application/dicom, alone or in multipart/related")
    parts = multipart.parse(_not_empty(body), parameters.get("boundary", ""))
    if not parts:
        raise BadRequest(
            "The body has no parts.", fields=[FieldProblem("body", "has no parts", "send one part per instance")]
        )
    if any(part.media_type not in ("", DICOM) for part in parts):
        raise _not_dicom_message("of a part is not application/dicom")
    return [part.content for part in parts]


def _not_empty(body: bytes) -> bytes:
    if not body:
        raise BadRequest("The body is empty.", fields=[FieldProblem("body", "is empty", "send DICOM instances in it")])
    return body


def _not_dicom_message(problem: str) -> NotADicomMessage:
    fix = 'send `multipart/related; type="application/dicom"; boundary=…` with one DICOM file per part'
    return NotADicomMessage(f"Content-Type: {problem}", fields=[FieldProblem("Content-Type", problem, fix)])
