"""Routes of the witness: C2SP `add-checkpoint`, and what it knows of each log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse

from services.witness import usecases
from services.witness.errors import OtherSizeKnown
from services.witness.usecases import WitnessContext
from shared.clock import rfc3339
from shared.telemetry import metrics_response
from shared.tlog.witnessing import SIZE_TYPE
from shared.web import OPEN

# Signed notes and nothing else: the protocol has no callers, and a checkpoint vouches for itself.
router = APIRouter(tags=["witness"], dependencies=OPEN)
Origin = Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


def context_of(request: Request) -> WitnessContext:
    """FastAPI dependency: what the app that serves this request works with."""
    context: WitnessContext = request.app.state.witness
    return context


ContextDep = Annotated[WitnessContext, Depends(context_of)]


@router.post("/add-checkpoint", response_class=PlainTextResponse)
async def add_checkpoint(request: Request, context: ContextDep) -> Response:
    """Cosign a checkpoint that continues the one cosigned last. 409 tells which size that is."""
    body = await request.body()
    try:
        return PlainTextResponse(await run_in_threadpool(usecases.add_checkpoint, context, body))
    except OtherSizeKnown as known:
        # Not a problem document: the protocol has a form of its own for this.
        return Response(f"{known.size}\n", 409, media_type=SIZE_TYPE, headers={"Content-Type": SIZE_TYPE})


@router.get("/checkpoint", response_class=PlainTextResponse)
def get_checkpoint(origin: Origin, context: ContextDep) -> Response:
    """The newest checkpoint cosigned of a log: what an auditor holds against the log itself."""
    return PlainTextResponse(usecases.newest_checkpoint(context, origin), headers={"Cache-Control": "no-cache"})


@router.get("/evidence")
def list_evidence(origin: Origin, context: ContextDep) -> dict[str, Any]:
    """Pairs of notes that a log has signed and that were not shown to belong together."""
    found = usecases.list_evidence(context, origin)
    items = [{"known": one.known, "shown": one.shown, "seenAt": rfc3339(one.seen_at)} for one in found]
    return {"items": items}


@router.get("/key", response_class=PlainTextResponse)
def get_key(context: ContextDep) -> Response:
    """The witness's public key as a vkey line. Whoever does not trust this server gets it another way."""
    return PlainTextResponse(f"{context.cosigner.key}\n")


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz() -> dict[str, str]:
    """A checkpoint would be looked at at once."""
    return {"status": "ready"}


@router.get("/metrics")
def metrics() -> Response:
    """Prometheus metrics."""
    return metrics_response()
