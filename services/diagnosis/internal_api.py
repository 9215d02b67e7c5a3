"""The inside door: what our own services ask for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from services.diagnosis import usecases
from services.diagnosis.domain import RELEASED
from services.diagnosis.schemas import diagnosis_out
from shared.auth import Principal, Role, require
from shared.contracts.diagnosis import ResultsList, ResultsQuestion
from shared.web import RequestIdDep, RuntimeDep, SessionDep

router = APIRouter(prefix="/internal/diagnosis", tags=["internal"], include_in_schema=False)


@router.post("/results")
def read_results(
    body: ResultsQuestion,
    principal: Annotated[Principal, Depends(require(Role.SERVICE))],
    runtime: RuntimeDep,
    session: SessionDep,
    request_id: RequestIdDep,
) -> ResultsList:
    """Finished results, newest first (and unfinished ones where asked for); one read event names them all."""
    shown = usecases.list_diagnoses(
        runtime,
        session,
        principal,
        request_id,
        patient=body.patient,
        ids=body.ids,
        statuses=() if body.include_unfinished else sorted(RELEASED),
        limit=body.limit,
    )
    return ResultsList(items=[diagnosis_out(*one) for one in shown])
