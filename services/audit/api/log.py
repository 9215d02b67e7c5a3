"""The log itself: events in; checkpoint, tiles, entry bundles and key out (C2SP tlog-tiles)."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from fastapi.responses import PlainTextResponse

from services.audit.api.deps import ContextDep
from services.audit.errors import EventConflict, MalformedTilePath
from services.audit.schemas import ProducerList, ProducerOut, RetentionOut
from services.audit.usecases import entries as usecases
from services.audit.usecases.retention import look_at_retention
from services.audit.usecases.witnessed import newest_witnessed
from shared.auth import Principal, Role, require
from shared.contracts.audit import BatchReceipt, EventBatch, IngestFeed
from shared.database import reading
from shared.errors import NotFound
from shared.openapi import refusals
from shared.tlog.tiles import TileName, TilePathError, parse_tile_path
from shared.web import OPEN, RequestIdDep

router = APIRouter(tags=["audit log"])
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
Producer = Annotated[Principal, Depends(require(Role.SERVICE))]
OCTETS = "application/octet-stream"
# As text, because an integer could also be spelt 00 or +1.
Level = Annotated[str, Path(pattern=r"^([0-9]|[1-5][0-9]|6[0-3])$")]


@router.post("/internal/audit/events")
async def append_events(
    body: EventBatch, principal: Producer, context: ContextDep, request_id: RequestIdDep
) -> BatchReceipt:
    """Append events; answered when all are durable and covered by a signed checkpoint. Sending them again is safe.

    All of a batch enter the log, or none. Not a thread waits meanwhile: many callers share one commit.
    """
    future = usecases.submit_events(context, body.events)
    try:
        placed, _ = await asyncio.wrap_future(future)
    except EventConflict as conflict:
        # The refusal is told of once; a producer that keeps sending the same conflict adds nothing.
        refusal = usecases.submit_conflict(context, principal, body.events, conflict, request_id)
        with contextlib.suppress(EventConflict):
            await asyncio.wrap_future(refusal)
        raise
    return BatchReceipt(sequenced=usecases.sequenced(body.events, placed))


@router.get("/internal/audit/ingests", include_in_schema=False)
def list_ingests(_: Producer, context: ContextDep, begin: Annotated[int | None, Query(ge=0)] = None) -> IngestFeed:
    """Whose evidence came since the entry `begin`, by pseudonym: nothing that the public tiles do not say."""
    return usecases.list_ingests(context, begin)


@router.get("/audit/checkpoint", response_class=PlainTextResponse, dependencies=OPEN)
def get_checkpoint(context: ContextDep) -> Response:
    """The newest signed checkpoint (C2SP tlog-checkpoint)."""
    with reading(context.sessions) as session:
        note = usecases.newest_checkpoint(session).note
    return PlainTextResponse(note, headers={"Cache-Control": "no-cache"})


@router.get(
    "/audit/checkpoint/witnessed",
    response_class=PlainTextResponse,
    responses=refusals(NotFound),
    dependencies=OPEN,
)
def get_witnessed_checkpoint(context: ContextDep) -> Response:
    """The newest checkpoint that a quorum of the witnesses has cosigned, with their lines (C2SP tlog-cosignature)."""
    with reading(context.sessions) as session:
        note = newest_witnessed(context, session).note
    return PlainTextResponse(note, headers={"Cache-Control": "no-cache"})


@router.get("/audit/tile/entries/{path:path}", response_class=Response, dependencies=OPEN)
def get_entry_bundle(path: str, context: ContextDep, accept_encoding: Annotated[str, Header()] = "") -> Response:
    """An entry bundle: `tile/entries/<N>[.p/<W>]`, compressed if the caller can read that."""
    bundle = usecases.read_bundle(context, _tile_name(path))
    headers = {**IMMUTABLE, "Vary": "Accept-Encoding"}
    if "gzip" in accept_encoding.lower():
        headers["Content-Encoding"] = "gzip"
        bundle = gzip.compress(bundle, mtime=0)
    return Response(bundle, media_type=OCTETS, headers=headers)


@router.get("/audit/tile/{level}/{path:path}", response_class=Response, dependencies=OPEN)
def get_tile(level: Level, path: str, context: ContextDep) -> Response:
    """A tile of hashes: `tile/<L>/<N>[.p/<W>]`."""
    return Response(usecases.read_tile(context, int(level), _tile_name(path)), media_type=OCTETS, headers=IMMUTABLE)


@router.get("/audit/producers")
def list_producers(
    principal: Annotated[Principal, Depends(require(Role.AUDITOR, Role.ADMIN))],
    context: ContextDep,
    request_id: RequestIdDep,
) -> ProducerList:
    """How far each producer's own count of its events has come, and which numbers are missing. Who asked is logged.

    A number is missing for a moment when two processes of one service send at once; one that stays missing was taken
    out of the service's outbox before it was sent.
    """
    usecases.record_query(context, principal, "audit-producers", {}, request_id)
    return ProducerList(items=[ProducerOut.from_domain(producer) for producer in usecases.list_producers(context)])


@router.get("/audit/retention")
def get_retention(
    principal: Annotated[Principal, Depends(require(Role.AUDITOR, Role.ADMIN))],
    context: ContextDep,
    request_id: RequestIdDep,
) -> RetentionOut:
    """How long entries are kept, how far the log reaches back, and how many are older than the rule asks for.

    Nothing is deleted, by this or by anything else. Who asked is logged.
    """
    usecases.record_query(context, principal, "audit-retention", {}, request_id)
    found = look_at_retention(context)
    return RetentionOut(years=found.years, oldest=found.oldest, keep_from=found.keep_from, past=found.past)


@router.get("/audit/key", response_class=PlainTextResponse, dependencies=[Depends(require(*Role))])
def get_key(context: ContextDep) -> Response:
    """The log's public key as a C2SP vkey line; the second and the ML-DSA key, if there are any, on lines of their own.

    Whoever does not trust this server gets them another way.
    """
    return PlainTextResponse("".join(f"{key}\n" for key in context.public_keys))


def _tile_name(path: str) -> TileName:
    try:
        return parse_tile_path(path)
    except TilePathError as error:
        raise MalformedTilePath(f"Not a tile: {error}.") from error
