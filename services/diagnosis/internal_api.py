"""The inside door: what our own services ask for."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.diagnosis import store, usecases
from services.diagnosis.domain import RELEASED
from services.diagnosis.schemas import diagnosis_out
from shared.auth import Principal, Role, require
from shared.contracts.diagnosis import ConsentFence, ResultsList, ResultsQuestion, ReviewsList, ReviewsQuestion
from shared.web import RequestIdDep, Runtime, RuntimeDep, SessionDep

router = APIRouter(prefix="/internal/diagnosis", tags=["internal"], include_in_schema=False)


@router.post("/results")
def read_results(
    body: ResultsQuestion,
    principal: Annotated[Principal, Depends(require(Role.SERVICE))],
    runtime: RuntimeDep,
    session: SessionDep,
    request_id: RequestIdDep,
) -> ResultsList:
    """Finished results, newest first (and unfinished ones where asked for); a read event of each patient names them."""
    shown = usecases.list_diagnoses(
        session,
        patient=body.patient,
        ids=body.ids,
        statuses=() if body.include_unfinished else sorted(RELEASED),
        limit=body.limit,
    )
    usecases.record_list(runtime, session, principal, request_id, shown)
    return ResultsList(items=[diagnosis_out(*one) for one in shown])


@router.post("/reviews", dependencies=[Depends(require(Role.SERVICE))])
def read_reviews(body: ReviewsQuestion, session: SessionDep) -> ReviewsList:
    """Who has looked at these diagnoses and said what they made of them; none of their words."""
    found = store.feedback_on(session, body.ids)
    said = [{"diagnosis": one.job_id, "action": one.action, "by": one.author, "at": one.created_at} for one in found]
    return ReviewsList.model_validate({"items": said})


@router.post("/consent-fence", status_code=204, dependencies=[Depends(require(Role.SERVICE))])
async def raise_consent_fence(body: ConsentFence, request: Request) -> Response:
    """From the answer on, no result of this patient is released on a decision of an older epoch.

    On a thread outside the pool of routes: embedded, the withdrawals that wait for this answer sit in that pool.
    """
    runtime: Runtime = request.app.state.runtime

    def _raise() -> None:
        with runtime.sessions.begin() as session:
            store.raise_fence(session, body.subject_ref, body.epoch)

    await asyncio.to_thread(_raise)
    return Response(status_code=204)
