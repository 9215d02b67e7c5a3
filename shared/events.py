"""Server-sent events (WHATWG HTML, section 9.2), as every stream of the suite sends them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse

KEEP_ALIVE_S = 15.0
"""Proxies drop a connection on which nothing comes for longer, most of them after 30 to 60 seconds."""
STILL_HERE = b": still here\n\n"
"""A comment, for when there is nothing to say."""


def event(name: str, data: str, id_: str | int | None = None) -> bytes:
    """One event; `data` is JSON on one line. With an id, a client that comes again says that it has seen it."""
    head = "" if id_ is None else f"id: {id_}\n"
    return f"{head}event: {name}\ndata: {data}\n\n".encode()


def stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """The answer that sends them. Nothing on the way keeps or holds back any."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)
