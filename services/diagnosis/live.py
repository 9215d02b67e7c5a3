"""A patient's running risk, as server-sent events (WHATWG HTML, section 9.2).

Each figure is that of a whole diagnosis: of all evidence that may be used, calibrated, in the work-list and in the log.
Another one is asked for when the evidence or the consent has changed, at most once in an interval that the client sets.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from fastapi.concurrency import run_in_threadpool

from services.diagnosis import usecases
from services.diagnosis.clients import Neighbours
from services.diagnosis.dispatcher import Dispatcher
from services.diagnosis.domain import FINAL, Order
from services.diagnosis.schemas import RunningRisk
from services.diagnosis.usecases import Snapshot
from shared.digests import digest_json
from shared.errors import Unavailable
from shared.events import KEEP_ALIVE_S, STILL_HERE, event
from shared.web import Runtime

LOOK_S = 0.1
LONGEST_S = 900.0
"""Then the stream ends and the client comes again, with a token that is still valid."""


@dataclass(frozen=True)
class Asker:
    """Who watches whom, and what answers it."""

    runtime: Runtime
    neighbours: Neighbours
    dispatcher: Dispatcher
    order: Order
    request_id: str


async def running_risk(
    asker: Asker, first: Snapshot, every_s: float, *, longest_s: float = LONGEST_S
) -> AsyncIterator[bytes]:
    """A `risk` event for each state of the evidence, from `first` on, with the diagnosis's id as its own."""
    begun, snapshot, told = time.monotonic(), first, ""
    while time.monotonic() - begun < longest_s:
        asked_at = time.monotonic()
        if snapshot.manifest.digest != told:
            job_id = await _ask(asker, snapshot)
            while not await run_in_threadpool(_is_final, asker, job_id):
                await asyncio.sleep(LOOK_S)
            yield await run_in_threadpool(_event, asker, job_id)
            told = snapshot.manifest.digest
        spoke_at = time.monotonic()
        while time.monotonic() - asked_at < every_s:
            if time.monotonic() - spoke_at > KEEP_ALIVE_S:
                spoke_at = time.monotonic()
                yield STILL_HERE
            await asyncio.sleep(LOOK_S)
        try:
            snapshot = await usecases.snapshot_case(asker.runtime, asker.neighbours, asker.order)
        except Unavailable:
            yield b": a neighbour does not answer\n\n"


async def _ask(asker: Asker, snapshot: Snapshot) -> str:
    """The job of this state of the evidence: of two streams of one requester, the same."""
    case = snapshot.manifest.digest
    order = replace(asker.order, key=f"running-risk:{case}", digest=digest_json({"runningRisk": case}))
    known = await run_in_threadpool(usecases.find_replay, asker.runtime, order)
    if known is not None:
        return known.id
    job, replayed = await run_in_threadpool(usecases.submit, asker.runtime, order, snapshot)
    if not replayed:
        asker.dispatcher.submit(job.id, job.priority)
    return job.id


def _is_final(asker: Asker, job_id: str) -> bool:
    return usecases.progress(asker.runtime, job_id)[0] in FINAL


def _event(asker: Asker, job_id: str) -> bytes:
    """What is shown of a diagnosis; that it was read is durable before the bytes leave."""
    with asker.runtime.sessions.begin() as session:
        shown = usecases.read_diagnosis(asker.runtime, session, asker.order.requester, asker.request_id, job_id)
    asker.runtime.wake_relay()
    data = RunningRisk.of(*shown[:2]).model_dump_json(by_alias=True)
    return event("risk", data, job_id)
