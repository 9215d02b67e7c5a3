"""The route that has a past diagnosis computed again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.concurrency import run_in_threadpool

from services.diagnosis import replaying
from services.diagnosis.joint_api import AskerDep
from services.diagnosis.joint_schemas import QuestionBody
from services.diagnosis.replay_schemas import ReplayOut
from shared.auth import Principal, Role, require
from shared.web import RequestIdDep, RuntimeDep

router = APIRouter(tags=["diagnoses"])
Replayer = Annotated[Principal, Depends(require(Role.AUDITOR, Role.ADMIN, Role.CLINICIAN, Role.SERVICE))]


@router.post("/diagnoses/{diagnosis_id}/replay", summary="Does it come out again?")
async def replay_diagnosis(
    diagnosis_id: str, principal: Replayer, runtime: RuntimeDep, request_id: RequestIdDep, ask: AskerDep
) -> ReplayOut:
    """Compute a released diagnosis again from its digests and compare. The answer holds no patient data and is itself
    an entry in the log, written before it leaves."""
    await run_in_threadpool(replaying.released_job, runtime, diagnosis_id)
    said = await ask(QuestionBody(ask="replay"), ReplayOut, diagnosis_id)
    await run_in_threadpool(replaying.record, runtime, principal, request_id, said)
    return said
