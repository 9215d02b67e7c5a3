"""Server-sent progress of one diagnosis (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable

from fastapi.concurrency import run_in_threadpool

from services.diagnosis.domain import FINAL
from shared.contracts.diagnosis import JobStatus
from shared.events import KEEP_ALIVE_S, STILL_HERE, event

LOOK_S = 0.1
Look = Callable[[], tuple[JobStatus, str | None]]


async def progress_events(look: Look, *, keep_alive_s: float = KEEP_ALIVE_S) -> AsyncIterator[bytes]:
    """A `stage` event whenever status or stage changes, a `done` event at the end, a comment when nothing happens.

    A client that reconnects gets the present state first, whatever `Last-Event-ID` it sends: states, unlike messages,
    are not missed.
    """
    number, told, spoke_at = 0, None, time.monotonic()
    while True:
        now = await run_in_threadpool(look)
        if now != told:
            number, told, spoke_at = number + 1, now, time.monotonic()
            yield _event(number, "stage", *now)
        if now[0] in FINAL:
            yield _event(number + 1, "done", *now)
            return
        if time.monotonic() - spoke_at > keep_alive_s:
            spoke_at = time.monotonic()
            yield STILL_HERE
        await asyncio.sleep(LOOK_S)


def _event(number: int, name: str, status: JobStatus, stage: str | None) -> bytes:
    data = json.dumps({"status": status.value, "stage": stage})
    return event(name, data, number)
