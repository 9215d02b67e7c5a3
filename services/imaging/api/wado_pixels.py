"""WADO-RS, the retrieve transactions for pixels (PS3.18 section 10.4): frames as they are, and rendered images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from services.imaging.api.deps import DecodersDep, ReaderDep, SeriesUid, SopUid, StudyUid
from services.imaging.api.negotiation import Wanted, matches, wanted_of
from services.imaging.api.wado import ONE, PRIVATE
from services.imaging.dicom import multipart
from services.imaging.dicom.decoders import Decoders
from services.imaging.errors import CannotRender, MalformedQuery
from services.imaging.store import InstanceRow
from services.imaging.usecases import reads
from shared.auth import Principal
from shared.errors import FieldProblem, NotAcceptable
from shared.openapi import Answers, refusals
from shared.web import RequestIdDep, Runtime, RuntimeDep, SessionDep

if TYPE_CHECKING:
    from services.imaging.dicom.render import Shown

router = APIRouter(prefix="/dicomweb", tags=["dicomweb"])
_FRAMES: Answers = {
    200: {
        "description": "Pixels as stored, or uncompressed.",
        "content": {kind: {} for kind in ("multipart/related", "application/octet-stream", "image/*")},
    },
    **refusals(NotAcceptable),
}
_PICTURE: Answers = {
    200: {"description": "A picture to look at.", "content": {kind: {} for kind in ("image/jpeg", "image/png")}},
    **refusals(NotAcceptable),
}
MAX_FRAMES = 100
FRAME_NUMBER = re.compile(r"[0-9]{1,9}")


@router.get(ONE + "/frames/{frames}", response_class=Response, responses=_FRAMES)
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
    """Frames by number, such as `1` or `1,4,5`: compressed as stored, or uncompressed little endian."""
    from services.imaging.dicom import retrieval

    row, numbers = _one(runtime, study, series, instance), _numbers(frames)
    stored = retrieval.frame_media_type(row.transfer_syntax_uid)
    for wanted in wanted_of(request.headers.get("accept", "")):
        media_type = _frame_form(wanted, row.transfer_syntax_uid, stored)
        if media_type is None:
            continue
        stored_file = reads.blobs_of(runtime, row).get(row.digest)
        compressed = media_type == stored
        found, transfer_syntax_uid = retrieval.frames(stored_file, numbers, decoders, compressed=compressed)
        reads.record_read(session, runtime, reader, "dicom-frame-read", [row], request_id)
        part_type = f"{media_type}; transfer-syntax={transfer_syntax_uid}"
        if wanted.media_type == media_type and not wanted.multipart and len(found) == 1:
            return Response(found[0], media_type=part_type, headers=PRIVATE)
        body, content_type = multipart.build([(part_type, content) for content in found], media_type)
        return Response(body, media_type=content_type, headers=PRIVATE)
    raise CannotRender(f'Accept `application/octet-stream` or `{stored}`, alone or in `multipart/related; type="…"`.')


def _numbers(frames: str) -> list[int]:
    numbers = frames.split(",")
    if len(numbers) > MAX_FRAMES or not all(FRAME_NUMBER.fullmatch(number) for number in numbers):
        fix = f"use numbers from 1, at most {MAX_FRAMES} of them: frames/1,2"
        raise MalformedQuery("The frame list is not well formed.", fields=[FieldProblem("frames", "is no list", fix)])
    return [int(number) for number in numbers]


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


@dataclass(frozen=True)
class Rendering:
    """How a client wants an image rendered (PS3.18 section 8.3.5)."""

    media_type: str
    quality: int
    viewport: str | None
    window: str | None


def rendering_of(
    request: Request,
    viewport: Annotated[
        str | None, Query(description="`width,height`: the image is made to fit, never enlarged")
    ] = None,
    window: Annotated[str | None, Query(description="`center,width,linear|linear-exact|sigmoid`, of grayscale")] = None,
    quality: Annotated[int, Query(ge=1, le=100, description="of a JPEG")] = 90,
    accept: Annotated[str | None, Query(description="a media type, where the header cannot be set")] = None,
) -> Rendering:
    """FastAPI dependency: the rendering that the query asks for."""
    return Rendering(_image_type(accept or request.headers.get("accept", "")), quality, viewport, window)


RenderingDep = Annotated[Rendering, Depends(rendering_of)]


@router.get(ONE + "/rendered", response_class=Response, responses=_PICTURE)
def retrieve_rendered(
    study: StudyUid,
    series: SeriesUid,
    instance: SopUid,
    rendering: RenderingDep,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
) -> Response:
    """The image for a person to look at, its first frame, as image/jpeg or image/png: as the header's VOI LUT says."""
    row = _one(runtime, study, series, instance)
    return _rendered(rendering, row, 1, reader, session, runtime, decoders, request_id)


@router.get(ONE + "/frames/{frames}/rendered", response_class=Response, responses=_PICTURE)
def retrieve_rendered_frame(
    study: StudyUid,
    series: SeriesUid,
    instance: SopUid,
    frames: str,
    rendering: RenderingDep,
    reader: ReaderDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
) -> Response:
    """One frame for a person to look at."""
    row, numbers = _one(runtime, study, series, instance), _numbers(frames)
    if len(numbers) > 1:
        raise CannotRender("One frame is rendered at a time: frames/{n}/rendered.")
    return _rendered(rendering, row, numbers[0], reader, session, runtime, decoders, request_id)


def _rendered(
    rendering: Rendering,
    row: InstanceRow,
    number: int,
    reader: Principal,
    session: SessionDep,
    runtime: Runtime,
    decoders: Decoders,
    request_id: str,
) -> Response:
    from services.imaging.dicom import retrieval

    shown = retrieval.View.parse(rendering.viewport, rendering.window)
    if number == 1 and row.rendered_digest is not None and shown.fits_thumbnail(row.rows, row.columns):
        image: Shown = retrieval.thumbnail(reads.blobs_of(runtime, row).get(row.rendered_digest), shown)
    else:
        image = retrieval.rendered(reads.blobs_of(runtime, row).get(row.digest), shown, decoders, number)
    reads.record_read(session, runtime, reader, "dicom-rendered", [row], request_id)
    content = retrieval.encode_8(image, rendering.media_type, rendering.quality)
    return Response(content, media_type=rendering.media_type, headers=PRIVATE)


def _image_type(accept: str) -> str:
    for wanted in wanted_of(accept):
        for media_type in ("image/jpeg", "image/png"):
            if not wanted.multipart and matches(wanted, media_type):
                return media_type
    raise CannotRender("Accept `image/jpeg` or `image/png`.")
