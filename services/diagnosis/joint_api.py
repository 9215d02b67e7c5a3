"""The public routes of the joint space: similar cases, phrases on films, retrieval. Their numbers are similarities."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from fastapi.concurrency import run_in_threadpool

from services.diagnosis.api import Clinician, Reader
from services.diagnosis.asking import QuestionBroker, ask_worker, open_case
from services.diagnosis.joint_schemas import FilmsOut, PhraseIn, QuestionBody, RetrievalIn, SimilarOut
from services.diagnosis.settings import DiagnosisSettings
from shared.contracts.base import Wire
from shared.errors import Conflict
from shared.openapi import refusals
from shared.web import RequestIdDep, Runtime, RuntimeDep

router = APIRouter(tags=["joint space"])
Out = TypeVar("Out", bound=Wire)


class Asker:
    """Asks a worker on behalf of a route."""

    def __init__(self, runtime: Runtime, broker: QuestionBroker, settings: DiagnosisSettings) -> None:
        self._runtime, self._broker, self._settings = runtime, broker, settings

    async def __call__(self, body: QuestionBody, answer: type[Out], job_id: str | None = None) -> Out:
        said = await ask_worker(self._runtime, self._broker, self._settings, body, job_id)
        return answer.model_validate_json(said)


def get_asker(request: Request) -> Asker:
    """FastAPI dependency: the way to a worker."""
    asker: Asker = request.app.state.asker
    return asker


AskerDep = Annotated[Asker, Depends(get_asker)]


@router.get("/diagnoses/{diagnosis_id}/similar", summary="Similar reference cases", responses=refusals(Conflict))
async def find_similar(
    diagnosis_id: str,
    principal: Reader,
    runtime: RuntimeDep,
    request_id: RequestIdDep,
    ask: AskerDep,
    k: Annotated[int, Query(ge=1, le=50)] = 5,
) -> SimilarOut:
    """The model's reference cases nearest to this case, over the modalities that it holds."""
    await run_in_threadpool(open_case, runtime, principal, request_id, diagnosis_id, "similar-read")
    return await ask(QuestionBody(ask="similar", target="case", k=k), SimilarOut, diagnosis_id)


@router.post("/diagnoses/{diagnosis_id}/query", summary="A phrase on the films of a case", responses=refusals(Conflict))
async def query_films(
    diagnosis_id: str,
    body: PhraseIn,
    principal: Clinician,
    runtime: RuntimeDep,
    request_id: RequestIdDep,
    ask: AskerDep,
) -> FilmsOut:
    """How similar a phrase such as “is there a line or tube?” is to each film, and where. Never a probability."""
    await run_in_threadpool(open_case, runtime, principal, request_id, diagnosis_id, "films-queried")
    return await ask(QuestionBody(ask="films", text=body.text), FilmsOut, diagnosis_id)


@router.post("/search", summary="Retrieval among reference cases", responses=refusals(Conflict))
async def search_references(
    body: RetrievalIn, principal: Clinician, runtime: RuntimeDep, request_id: RequestIdDep, ask: AskerDep
) -> SimilarOut:
    """Text to image, image to text, or a whole case: the reference cases nearest in the modality asked for."""
    if body.diagnosis is not None:
        await run_in_threadpool(open_case, runtime, principal, request_id, body.diagnosis, "similar-read")
    question = QuestionBody(ask="search", text=body.text, target=body.target, k=body.k)
    return await ask(question, SimilarOut, body.diagnosis)
