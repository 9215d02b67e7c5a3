"""The door for whole files: `/vitals/imports`."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from services.vitals.api import Clinical, record_refusal
from services.vitals.errors import BodyTooLong, NotAnImport
from services.vitals.imports import parquet, usecases
from services.vitals.imports.archives import NotAnExport, open_export
from services.vitals.imports.detection import APPLE_ZIP, PARQUET
from services.vitals.imports.domain import Upload
from services.vitals.imports.formats import NAMES_PATIENTS, NEEDS_ZONE
from services.vitals.imports.pieces import open_pieces
from services.vitals.imports.receiving import receive
from services.vitals.imports.schemas import ImportProgress, RejectedRecords
from services.vitals.imports.worker import ImportWorker
from services.vitals.settings import Settings
from services.vitals.usecases import Asker
from shared.contracts.base import Modality
from shared.database import reading
from shared.errors import AppError, UnsupportedMediaType
from shared.intake import patient_problem
from shared.openapi import refusals
from shared.web import RequestIdDep, Runtime, RuntimeDep

router = APIRouter(prefix="/vitals/imports", tags=["vitals"])


def worker_of(request: Request) -> ImportWorker:
    """FastAPI dependency: the thread that works on imports."""
    worker: ImportWorker = request.app.state.import_worker
    return worker


async def sent_file(request: Request, principal: Clinical, runtime: RuntimeDep, request_id: RequestIdDep) -> Upload:
    """FastAPI dependency: the file in the form, durable and of a known format. A refusal is put into the log first."""
    settings: Settings = request.app.state.settings
    try:
        upload = await _received(request, runtime, settings)
        try:
            await run_in_threadpool(_check, upload, runtime, settings)
            named = [upload.patient] if upload.patient else []
            await run_in_threadpool(runtime.storing.check, principal, named, Modality.VITALS)
        except AppError:
            await run_in_threadpool(usecases.drop_file, runtime, upload)
            raise
        return upload
    except AppError as error:
        await run_in_threadpool(record_refusal, runtime, Asker(principal, request_id), error)
        raise


async def _received(request: Request, runtime: Runtime, settings: Settings) -> Upload:
    try:
        return await receive(request, runtime.blobs)
    except HTTPException as error:
        raise BodyTooLong(settings.max_import_bytes) from error


def _check(upload: Upload, runtime: Runtime, settings: Settings) -> None:
    """Whether a file and what was said of it go together. Raises: NotAnImport, NotColumns, ArrowMissing."""
    kind = upload.form.kind
    problem = patient_problem(upload.patient) if upload.patient else None
    if problem is not None:
        raise NotAnImport(problem.field, problem.problem, problem.fix)
    if not upload.patient and kind not in NAMES_PATIENTS:
        raise NotAnImport("patient", "is missing; this format names none", "send the patient's identifier as `patient`")
    if not upload.zone and kind in NEEDS_ZONE:
        fix = "send the IANA name of the wearer's time zone as `zone`, such as Europe/Berlin"
        raise NotAnImport("zone", "is missing; the times of this format name none", fix)
    if upload.zone and not _is_zone(upload.zone):
        raise NotAnImport("zone", "is no time zone", "send an IANA name, such as Europe/Berlin")
    if kind == APPLE_ZIP:
        _check_archive(upload, runtime, settings)
    if kind == PARQUET:
        with open_pieces(runtime.blobs, upload.owner, upload.pieces) as source:
            parquet.check_file(source, upload.patient)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _check_archive(upload: Upload, runtime: Runtime, settings: Settings) -> None:
    with open_pieces(runtime.blobs, upload.owner, upload.pieces) as source:
        try:
            open_export(source, settings.max_unpacked_bytes)
        except NotAnExport as error:
            raise NotAnImport("file", error.problem, "send the export.zip of Apple Health as it is") from error


_TEXT = {"type": "string", "maxLength": 64}
_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "patient": {**_TEXT, "description": "Whose file it is, where its records do not say so."},
        "zone": {**_TEXT, "description": "IANA time zone of local times, such as Europe/Berlin."},
    },
}
_BODY = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}}
_KNOWN: dict[int | str, dict[str, Any]] = {
    200: {"model": ImportProgress, "description": "The same file is known for this patient and zone."},
    **refusals(UnsupportedMediaType),
}


# The file stands before the session: a transaction begins only when all of it is durable.
@router.post("", status_code=202, openapi_extra=_BODY, responses=_KNOWN)
def post_import(
    principal: Clinical,
    upload: Annotated[Upload, Depends(sent_file)],
    runtime: RuntimeDep,
    request_id: RequestIdDep,
    worker: Annotated[ImportWorker, Depends(worker_of)],
    response: Response,
) -> ImportProgress:
    """Take a file in. It is durable when this answers 202, and worked on after that."""
    with runtime.sessions.begin() as session:
        job, is_new = usecases.register(session, runtime, Asker(principal, request_id), upload)
    if job.upload.owner != upload.owner:
        usecases.drop_file(runtime, upload)
    worker.wake()
    response.status_code = 202 if is_new else 200
    response.headers["Location"] = f"/vitals/imports/{job.id}"
    return ImportProgress.from_domain(job)


@router.get("/{import_id}")
def get_import(import_id: str, principal: Clinical, runtime: RuntimeDep) -> ImportProgress:
    """How far an import is."""
    with reading(runtime.sessions) as session:
        return ImportProgress.from_domain(usecases.find(session, runtime, import_id))


@router.get("/{import_id}/rejects")
def get_rejects(
    import_id: str,
    principal: Clinical,
    runtime: RuntimeDep,
    after: Annotated[int, Query(ge=0, le=2**62, description="`next` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> RejectedRecords:
    """Records that were not stored, in the order of the file."""
    with reading(runtime.sessions) as session:
        job = usecases.find(session, runtime, import_id)
        return RejectedRecords.from_domain(usecases.rejects_of(session, job, after, limit + 1), limit)
