"""WADO-RS, the retrieve transactions (PS3.18 section 10.4): instances, metadata, frames, rendered images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from services.imaging.api.deps import DecodersDep, ReaderDep, RootDep, SeriesUid, SopUid, StudyUid
from services.imaging.api.negotiation import Wanted, json_type, matches, wanted_of
from services.imaging.dicom import multipart
from services.imaging.dicom.decoders import Decoders
from services.imaging.errors import CannotRender
from services.imaging.store import InstanceRow
from services.imaging.usecases import reads
from shared.auth import Principal
from shared.errors import NotFound
from shared.web import RequestIdDep, Runtime, RuntimeDep, SessionDep

router = APIRouter(prefix="/dicomweb", tags=["dicomweb"])
DICOM = "application/dicom"
# Patient data: no proxy and no browser may keep them.
PRIVATE = {"Cache-Control": "private, no-store"}
_ONE = "/studies/{study}/series/{series}/instances/{instance}"


@router.get("/studies/{study}", response_class=Response)
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


@router.get("/studies/{study}/series/{series}", response_class=Response)
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


@router.get(_ONE, response_class=Response)
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
            retrieval.file_as(runtime.blobs.get(row.digest), row.transfer_syntax_uid, wanted.transfer_syntax, decoders)
            for row in rows
        ]
        reads.record_read(session, runtime, reader, "dicom-retrieved", rows, request_id)
        if wanted.media_type == DICOM and not wanted.multipart:
            return Response(files[0], media_type=DICOM, headers=PRIVATE)
        body, content_type = multipart.build(((DICOM, file) for file in files), DICOM)
        return Response(body, media_type=content_type, headers=PRIVATE)
    raise CannotRender(
        'Accept `multipart/related; type="application/dicom"; transfer-syntax=*`, or `application/dicom`.'
    )


@router.get("/studies/{study}/metadata", response_class=JSONResponse)
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


@router.get("/studies/{study}/series/{series}/metadata", response_class=JSONResponse)
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


@router.get(_ONE + "/metadata", response_class=JSONResponse)
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


@router.get(_ONE + "/frames/{frames}", response_class=Response)
def retrieve_frames(
    request: Request,
    study: StudyUid,
    series: SeriesUid,
    instance: SopUid,
    frames: str,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
) -> Response:
    """The pixel data of the one frame that a radiograph has: compressed as stored, or uncompressed little endian."""
    from services.imaging.dicom import retrieval

    row = _one(runtime, study, series, instance)
    if frames != "1":
        raise NotFound("This instance has one frame, number 1.")
    stored = retrieval.frame_media_type(row.transfer_syntax_uid)
    for wanted in wanted_of(request.headers.get("accept", "")):
        media_type = _frame_form(wanted, row.transfer_syntax_uid, stored)
        if media_type is None:
            continue
        stored_file = runtime.blobs.get(row.digest)
        content, transfer_syntax_uid = retrieval.frame(stored_file, decoders, compressed=media_type == stored)
        reads.record_read(session, runtime, reader, "dicom-frame-read", [row], request_id)
        part_type = f"{media_type}; transfer-syntax={transfer_syntax_uid}"
        if wanted.media_type == media_type and not wanted.multipart:
            return Response(content, media_type=part_type, headers=PRIVATE)
        body, content_type = multipart.build([(part_type, content)], media_type)
        return Response(body, media_type=content_type, headers=PRIVATE)
    raise CannotRender(f'Accept `application/octet-stream` or `{stored}`, alone or in `multipart/related; type="…"`.')


def _frame_form(wanted: Wanted, transfer_syntax_uid: str, stored: str) -> str | None:
    """How to send the frame: as stored where the client takes that, else uncompressed, else not at all."""
    if wanted.transfer_syntax in ("*", transfer_syntax_uid):
        return stored if matches(wanted, stored) or wanted.transfer_syntax == "*" else None
    if stored != "application/octet-stream" and wanted.media_type == stored and wanted.transfer_syntax is None:
        return stored
    uncompressed = wanted.transfer_syntax in (None, "1.2.840.10008.1.2.1")
    return "application/octet-stream" if uncompressed and matches(wanted, "application/octet-stream") else None


def _one(runtime: Runtime, study: str, series: str, instance: str) -> InstanceRow:
    return reads.get_instances(runtime, study, series, instance)[0]


@router.get(_ONE + "/rendered", response_class=Response)
@router.get(_ONE + "/frames/1/rendered", response_class=Response, include_in_schema=False)
def retrieve_rendered(
    request: Request,
    study: StudyUid,
    series: SeriesUid,
    instance: SopUid,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
    viewport: Annotated[
        str | None, Query(description="`width,height`: the image is made to fit, never enlarged")
    ] = None,
    window: Annotated[str | None, Query(description="`center,width,linear|linear-exact|sigmoid`")] = None,
    quality: Annotated[int, Query(ge=1, le=100, description="of a JPEG")] = 90,
    accept: Annotated[str | None, Query(description="a media type, where the header cannot be set")] = None,
) -> Response:
    """The radiograph for a person to look at, as image/jpeg or image/png: air dark, as the header's VOI LUT says."""
    from services.imaging.dicom import retrieval

    media_type = _image_type(accept or request.headers.get("accept", ""))
    shown = retrieval.View.parse(viewport, window)
    row = _one(runtime, study, series, instance)
    if shown.fits_thumbnail(row.rows, row.columns):
        image = retrieval.thumbnail(runtime.blobs.get(row.rendered_digest), shown)
    else:
        image = retrieval.rendered(runtime.blobs.get(row.digest), shown, decoders)
    reads.record_read(session, runtime, reader, "dicom-rendered", [row], request_id)
    return Response(retrieval.encode_8(image, media_type, quality), media_type=media_type, headers=PRIVATE)


def _image_type(accept: str) -> str:
    for wanted in wanted_of(accept):
        for media_type in ("image/jpeg", "image/png"):
            if not wanted.multipart and matches(wanted, media_type):
                return media_type
    raise CannotRender("Accept `image/jpeg` or `image/png`.")
