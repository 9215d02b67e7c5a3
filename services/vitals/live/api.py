"""The door for samples as they come: `/vitals/stream`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from services.vitals import store, usecases
from services.vitals.api import Clinical
from services.vitals.errors import InvalidSearch
from services.vitals.live.events import sample_events
from services.vitals.live.schemas import LiveQuestion
from services.vitals.usecases import Asker
from shared import events as sse
from shared.intake import patient_problem
from shared.web import RequestIdDep, Runtime, RuntimeDep

router = APIRouter(prefix="/vitals/stream", tags=["vitals"])


# A body, not a query: an identifier does not belong into an address. A browser's EventSource could not send the token.
@router.post("", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def stream_samples(
    question: LiveQuestion,
    principal: Clinical,
    runtime: RuntimeDep,
    request_id: RequestIdDep,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**62)] = None,
) -> StreamingResponse:
    """A patient's samples as they come, from now on or from behind `Last-Event-ID`."""
    asker = Asker(principal, request_id)
    after = await run_in_threadpool(_open, runtime, asker, question.patient, last_event_id)
    stream = sample_events(runtime, question.patient, after)
    return sse.stream(stream)


def _open(runtime: Runtime, asker: Asker, patient: str, last_event_id: int | None) -> int:
    """Put into the log that somebody reads along; gives the arrival to begin behind. Raises: InvalidSearch."""
    if problem := patient_problem(patient):
        raise InvalidSearch(problem)
    with runtime.sessions.begin() as session:
        usecases.record_stream(session, runtime, asker, patient)
        newest = store.last_arrival(session, runtime.common.tenant, patient)
    runtime.wake_relay()
    return newest if last_event_id is None else last_event_id
