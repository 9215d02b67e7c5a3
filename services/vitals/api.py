"""The doors of the vitals service: `/vitals` for people and the EHR, `/internal/vitals` for the diagnosis service."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from services.vitals import usecases, windows
from services.vitals.domain import Batch, Outcome, Rejection, Window
from services.vitals.errors import NothingTaken
from services.vitals.intake import ARROW, JSON, NDJSON, media_type, read_batch, spool
from services.vitals.schemas import (
    SampleIn,
    SamplesReceipt,
    VitalsAnswer,
    VitalsQuestion,
    clocks_out,
    marked_out,
    samples_out,
)
from services.vitals.settings import Settings
from services.vitals.usecases import Asker, Query
from shared.auth import Principal, Role, require
from shared.contracts.base import Modality
from shared.contracts.evidence import (
    EvidenceList,
    EvidenceQuestion,
    EvidenceRef,
    VitalsWindow,
)
from shared.errors import AppError, FieldProblem, UnsupportedMediaType
from shared.openapi import refusals
from shared.web import RequestIdDep, Runtime, RuntimeDep, SessionDep

router = APIRouter(prefix="/vitals", tags=["vitals"])
internal = APIRouter(prefix="/internal/vitals", tags=["internal"])
ROUTERS = (router, internal)
PROBLEMS_NAMED = 20

Clinical = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM))]
Sender = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM, scope="Observation.c"))]
Service = Annotated[Principal, Depends(require(Role.SERVICE))]


def settings_of(request: Request) -> Settings:
    """FastAPI dependency: the settings of this service."""
    settings: Settings = request.app.state.settings
    return settings


SettingsDep = Annotated[Settings, Depends(settings_of)]


async def sent_batch(
    request: Request, principal: Sender, runtime: RuntimeDep, settings: SettingsDep, request_id: RequestIdDep
) -> Batch:
    """FastAPI dependency: the samples in the body, at least one. A refusal is put into the log first."""
    try:
        kind = media_type(request)
        # Before the body: a slow line would make the device's clock look slow.
        received_at = runtime.clock()
        with await spool(request, settings) as body:
            batch = await run_in_threadpool(read_batch, body, kind, received_at)
        if not batch.samples:
            raise _nothing_taken(batch, settings)
        await run_in_threadpool(runtime.storing.check, principal, sorted(batch.samples), Modality.VITALS)
        return batch
    except AppError as error:
        await run_in_threadpool(record_refusal, runtime, Asker(principal, request_id), error)
        raise


def _nothing_taken(batch: Batch, settings: Settings) -> NothingTaken:
    receipt = SamplesReceipt.from_domain(Outcome(0, 0, batch.rejected), settings.max_rejects_told)
    extra = receipt.model_dump(by_alias=True)
    if not batch.rejected:
        problem = FieldProblem("body", "is empty", "send one sample a line")
        return NothingTaken("There is no sample in the body.", [problem], extra)
    problems = [_of_line(rejection) for rejection in batch.rejected[:PROBLEMS_NAMED]]
    return NothingTaken(f"None of the {batch.lines} lines is a sample.", problems, extra)


def _of_line(rejection: Rejection) -> FieldProblem:
    problem = rejection.problem
    return FieldProblem(problem.field, f"line {rejection.line}: {problem.problem}", problem.fix)


def record_refusal(runtime: Runtime, asker: Asker, error: AppError) -> None:
    """Put a refusal into the log, in a transaction of its own."""
    with runtime.sessions.begin() as session:
        usecases.record_refusal(session, runtime, asker, error)
    runtime.wake_relay()


SentBatch = Annotated[Batch, Depends(sent_batch)]
_SCHEMA = SampleIn.model_json_schema()
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **{kind: {"schema": _SCHEMA} for kind in (NDJSON[0], JSON)},
            ARROW: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


# `batch` stands before `session`: a database transaction begins only when all lines are read and checked.
@router.post("/samples", openapi_extra=_BODY, responses=refusals(UnsupportedMediaType))
def post_samples(
    principal: Sender,
    batch: SentBatch,
    session: SessionDep,
    runtime: RuntimeDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
) -> SamplesReceipt:
    """Store samples, one JSON object a line. All accepted lines are durable when this answers 200."""
    outcome = usecases.store_batch(session, runtime, Asker(principal, request_id), batch)
    return SamplesReceipt.from_domain(outcome, settings.max_rejects_told)


@router.post("/search")
def search_vitals(
    question: VitalsQuestion,
    principal: Clinical,
    session: SessionDep,
    runtime: RuntimeDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
) -> VitalsAnswer:
    """Samples of a patient between two times, oldest first."""
    codes = tuple(question.codes or ())
    query = Query(question.patient, question.start, question.end, codes, question.limit, question.downsample)
    series = usecases.search(session, runtime, Asker(principal, request_id), query, settings.sources)
    return VitalsAnswer(
        samples=marked_out(series),
        total=series.total,
        truncated=not series.downsampled and len(series.points) < series.total,
        downsampled=series.downsampled,
        clocks=clocks_out(series.clocks),
    )


@internal.post("/evidence")
def list_evidence(
    question: EvidenceQuestion, principal: Service, runtime: RuntimeDep, settings: SettingsDep
) -> EvidenceList:
    """The window that a diagnosis would look at, frozen; nothing where there is no sample in it."""
    known, window = windows.freeze(runtime, settings.sources, question.patient, question.as_of)
    return EvidenceList(known=known, items=[_reference(window)] if window else [])


@internal.get("/evidence/{window_id}")
def get_evidence(
    window_id: str, principal: Service, session: SessionDep, runtime: RuntimeDep, request_id: RequestIdDep
) -> VitalsWindow:
    """A frozen window with its samples, oldest first."""
    window, points = windows.read(session, runtime, Asker(principal, request_id), window_id)
    return VitalsWindow(
        id=window.id, digest=window.digest, start=window.start, end=window.end, samples=samples_out(points)
    )


def _reference(window: Window) -> EvidenceRef:
    return EvidenceRef(
        id=window.id,
        kind=Modality.VITALS,
        digest=window.digest,
        effective_at=window.end,
        received_at=window.received_at,
        quality=dict(window.quality),
    )
