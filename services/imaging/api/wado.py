"""WADO-RS, the retrieve transactions (PS3.18 section 10.4) for instances and metadata; pixels: `wado_pixels`."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.imaging.api.deps import DecodersDep, ReaderDep, RootDep, SeriesUid, SopUid, StudyUid
from services.imaging.api.negotiation import DICOM_JSON, json_type, matches, wanted_of
from services.imaging.dicom import multipart
from services.imaging.dicom.decoders import Decoders
from services.imaging.errors import CannotRender
from services.imaging.store import InstanceRow
from services.imaging.usecases import reads
from shared.auth import Principal
from shared.errors import NotAcceptable
from shared.openapi import Answers, refusals
from shared.web import RequestIdDep, Runtime, RuntimeDep, SessionDep

router = APIRouter(prefix="/dicomweb", tags=["dicomweb"])
DICOM = "application/dicom"
_RETRIEVED: Answers = {
    200: {"description": "The instances, one a part.", "content": {"multipart/related": {}, DICOM: {}}},
    **refusals(NotAcceptable),
}
_METADATA: Answers = {
    200: {"description": "All attributes but bulk data.", "content": {DICOM_JSON: {}, "application/json": {}}},
    **refusals(NotAcceptable),
}
# Patient data: no proxy and no browser may keep them.
PRIVATE = {"Cache-Control": "private, no-store"}
ONE = "/studies/{study}/series/{series}/instances/{instance}"


@router.get("/studies/{study}", response_class=Response, responses=_RETRIEVED)
def retrieve_study(
    request: Request,
    study: StudyUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
) -> Response:
    """All instances of a study, as they were stored."""
    rows = reads.get_instances(runtime, study)
    return _instances(request, session, runtime, reader, rows, decoders, request_id)


@router.get("/studies/{study}/series/{series}", response_class=Response, responses=_RETRIEVED)
def retrieve_series(
    request: Request,
    study: StudyUid,
    series: SeriesUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
) -> Response:
    """All instances of a series, as they were stored."""
    rows = reads.get_instances(runtime, study, series)
    return _instances(request, session, runtime, reader, rows, decoders, request_id)


@router.get(ONE, response_class=Response, responses=_RETRIEVED)
def retrieve_instance(
    request: Request,
    study: StudyUid,
    series: SeriesUid,
    instance: SopUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
) -> Response:
    """One instance, as it was stored."""
    rows = reads.get_instances(runtime, study, series, instance)
    return _instances(request, session, runtime, reader, rows, decoders, request_id)


def _instances(
    request: Request,
    session: SessionDep,
    runtime: Runtime,
    reader: Principal,
    rows: Sequence[InstanceRow],
    decoders: Decoders,
    request_id: str,
) -> Response:
    from services.imaging.dicom import retrieval

    for wanted in wanted_of(request.headers.get("accept", "")):
        if not matches(wanted, DICOM) or not (wanted.multipart or len(rows) == 1 or wanted.media_type == "*/*"):
            continue
        if not all(retrieval.can_give(row.transfer_syntax_uid, wanted.transfer_syntax) for row in rows):
            continue
        files = [
            retrieval.file_as(stored, row.transfer_syntax_uid, wanted.transfer_syntax, decoders)
            for row in rows
            for stored in [reads.blobs_of(runtime, row).get(row.digest)]
        ]
        reads.record_read(session, runtime, reader, "dicom-retrieved", rows, request_id)
        if wanted.media_type == DICOM and not wanted.multipart:
            return Response(files[0], media_type=DICOM, headers=PRIVATE)
        body, content_type = multipart.build(((DICOM, file) for file in files), DICOM)
        return Response(body, media_type=content_type, headers=PRIVATE)
    raise CannotRender(
        'Accept `multipart/related; type="application/dicom"; transfer-syntax=*`, or `application/dicom`.'
    )


@router.get("/studies/{study}/metadata", response_class=Response, responses=_METADATA)
def study_metadata(
    request: Request,
    study: StudyUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> JSONResponse:
    """The headers of all instances of a study in the DICOM JSON model."""
    rows = reads.get_instances(runtime, study)
    return _metadata(request, session, runtime, reader, rows, request_id, root)


@router.get("/studies/{study}/series/{series}/metadata", response_class=Response, responses=_METADATA)
def series_metadata(
    request: Request,
    study: StudyUid,
    series: SeriesUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> JSONResponse:
    """The headers of all instances of a series in the DICOM JSON model."""
    rows = reads.get_instances(runtime, study, series)
    return _metadata(request, session, runtime, reader, rows, request_id, root)


@router.get(ONE + "/metadata", response_class=Response, responses=_METADATA)
def instance_metadata(
    request: Request,
    study: StudyUid,
    series: SeriesUid,
    instance: SopUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    request_id: RequestIdDep,
    root: RootDep,
) -> JSONResponse:
    """The header of one instance in the DICOM JSON model."""
    rows = reads.get_instances(runtime, study, series, instance)
    return _metadata(request, session, runtime, reader, rows, request_id, root)


def _metadata(
    request: Request,
    session: SessionDep,
    runtime: Runtime,
    reader: Principal,
    rows: Sequence[InstanceRow],
    request_id: str,
    root: str,
) -> JSONResponse:
    from services.imaging.dicom.json_model import element

    media_type = json_type(request.headers.get("accept", ""))
    reads.record_read(session, runtime, reader, "dicom-metadata-read", rows, request_id)
    models = [{**row.header_json(), **element("RetrieveURL", instance_url(root, row))} for row in rows]
    return JSONResponse(models, media_type=media_type, headers=PRIVATE)


def instance_url(root: str, row: InstanceRow) -> str:
    """Where one instance is retrieved."""
    path = f"{row.study_instance_uid}/series/{row.series_instance_uid}/instances/{row.sop_instance_uid}"
    return f"{root}/studies/{path}"
