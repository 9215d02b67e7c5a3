"""Server-sent events of what comes in for one patient (WHATWG HTML, section 9.2).

Nothing is queued for a client: each asks the database for what stands behind the last arrival that it was sent, a page
at a time. One that reads slowly is behind, and costs no more memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from fastapi.concurrency import run_in_threadpool

from services.vitals import store
from services.vitals.domain import Arrival, Point
from services.vitals.live.schemas import LiveSamples
from services.vitals.schemas import samples_out
from shared.database import reading
from shared.events import KEEP_ALIVE_S, STILL_HERE, event
from shared.web import Runtime

PAGE = 1000
LOOK_S = 0.25
LONGEST_S = 900.0
"""Then the stream ends and the client comes again with its last id, and with a token that is still valid."""


async def sample_events(
    runtime: Runtime, patient: str, after: int, *, longest_s: float = LONGEST_S
) -> AsyncIterator[bytes]:
    """A `samples` event for each page of each arrival behind `after`; the last page of an arrival has its number as id.

    A client that comes back with the last id it saw is sent an arrival whole that it saw in part: twice rather than
    never.
    """
    begun = spoke_at = time.monotonic()
    yield event("ready", "{}", after)
    while time.monotonic() - begun < longest_s:
        arrival = await run_in_threadpool(_next, runtime, patient, after)
        if arrival is None:
            if time.monotonic() - spoke_at > KEEP_ALIVE_S:
                spoke_at = time.monotonic()
                yield STILL_HERE
            await asyncio.sleep(LOOK_S)
            continue
        number, page = 0, await run_in_threadpool(_page, runtime, arrival, 0)
        while page:
            number += 1
            following = await run_in_threadpool(_page, runtime, arrival, number) if len(page) == PAGE else []
            yield _event(arrival, page, is_last=not following)
            page = following
        after, spoke_at = arrival.number, time.monotonic()


def _next(runtime: Runtime, patient: str, after: int) -> Arrival | None:
    with reading(runtime.sessions) as session:
        return store.next_arrival(session, runtime.common.tenant, patient, after)


def _page(runtime: Runtime, arrival: Arrival, number: int) -> list[Point]:
    with reading(runtime.sessions) as session:
        return store.points_of(session, runtime.common.tenant, arrival, number * PAGE, PAGE)


def _event(arrival: Arrival, points: Sequence[Point], *, is_last: bool) -> bytes:
    data = LiveSamples(received_at=arrival.received_at, samples=samples_out(points)).model_dump_json(by_alias=True)
    return event("samples", data, arrival.number if is_last else None)
