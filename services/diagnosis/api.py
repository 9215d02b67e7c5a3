"""The public routes: `/diagnoses…`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from services.diagnosis import usecases
from services.diagnosis.clients import Neighbours
from services.diagnosis.dispatcher import Dispatcher
from services.diagnosis.domain import Order
from services.diagnosis.live import Asker, running_risk
from services.diagnosis.progress import progress_events
from services.diagnosis.schemas import DiagnosisPage, FeedbackOut, RiskQuestion, SearchIn, diagnosis_out
from shared import events as sse
from shared.auth import Principal, Role, require
from shared.conditional import entity_tag, still_holds
from shared.contracts.base import Modality, Purpose
from shared.contracts.diagnosis import DiagnosisOut, DiagnosisRequest, FeedbackIn, JobStatus
from shared.digests import digest_json
from shared.errors import Conflict
from shared.openapi import Answers, refusals
from shared.web import RequestIdDep, RuntimeDep, SessionDep

router = APIRouter(prefix="/diagnoses", tags=["diagnoses"])

Reader = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM))]
Clinician = Annotated[Principal, Depends(require(Role.CLINICIAN))]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Repeat a request with the same key and body, and you get the same job.",
    ),
]
IfNoneMatch = Annotated[str | None, Header(description="`ETag` of the answer that you have: unchanged gives 304.")]
_UNCHANGED: Answers = {304: {"description": "What you have still holds. Nobody was shown, and nothing is logged."}}


def get_neighbours(request: Request) -> Neighbours:
    """FastAPI dependency: the services that are asked for evidence and consent."""
    neighbours: Neighbours = request.app.state.neighbours
    return neighbours


def get_dispatcher(request: Request) -> Dispatcher:
    """FastAPI dependency: what hands new jobs to the broker."""
    dispatcher: Dispatcher = request.app.state.dispatcher
    return dispatcher


@router.post("", status_code=202, summary="Ask for a diagnosis", responses=refusals(Conflict))
async def request_diagnosis(
    body: DiagnosisRequest,
    response: Response,
    principal: Reader,
    runtime: RuntimeDep,
    neighbours: Annotated[Neighbours, Depends(get_neighbours)],
    dispatcher: Annotated[Dispatcher, Depends(get_dispatcher)],
    idempotency_key: IdempotencyKey = None,
) -> DiagnosisOut:
    """Freeze what is known of the patient as of a time, and queue its diagnosis. `Location` says where it will be."""
    is_ordinary = body.purpose == Purpose.TREAT
    order = Order(
        patient=body.patient,
        as_of=body.as_of,
        priority=body.priority,
        modalities=tuple(kind for kind in Modality if body.modalities is None or kind in body.modalities),
        requester=principal,
        key=idempotency_key,
        # Requests from before there were purposes keep their digest.
        digest=digest_json(body.model_dump(by_alias=True, mode="json", exclude={"purpose"} if is_ordinary else None)),
        purpose=Purpose(body.purpose),
    )
    job, replayed = await usecases.request_diagnosis(runtime, neighbours, order)
    response.headers["Location"] = f"/diagnoses/{job.id}"
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    else:
        dispatcher.submit(job.id, job.priority)
    return diagnosis_out(job)


@router.get("", summary="The work-list", response_model=DiagnosisPage, responses=_UNCHANGED)
def list_diagnoses(
    principal: Clinician,
    runtime: RuntimeDep,
    session: SessionDep,
    request_id: RequestIdDep,
    response: Response,
    if_none_match: IfNoneMatch = None,
    status: Annotated[list[JobStatus] | None, Query(description="Only these; repeat it for several.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9a-f-]{36}$", description="`next` of the page before.")] = None,
) -> DiagnosisPage | Response:
    """Diagnoses, newest first, without their explanations. An unchanged list is not shown again, and not logged."""
    shown = usecases.list_diagnoses(session, limit=limit, statuses=status or (), before=cursor)
    items = [diagnosis_out(*one, explained=False) for one in shown]
    page = DiagnosisPage(items=items, next=items[-1].id if len(items) == limit else None)
    tag = entity_tag(principal.subject, page.model_dump(mode="json"))
    if still_holds(tag, if_none_match):
        return Response(status_code=304, headers={"ETag": tag})
    usecases.record_list(runtime, session, principal, request_id, shown)
    response.headers["ETag"] = tag
    return page


@router.post("/search", summary="All diagnoses of one patient")
def search_diagnoses(
    body: SearchIn, principal: Reader, runtime: RuntimeDep, session: SessionDep, request_id: RequestIdDep
) -> DiagnosisPage:
    """A POST, so that the patient identifier stands in no URL and no access log."""
    shown = usecases.list_diagnoses(session, patient=body.patient, limit=body.limit)
    usecases.record_list(runtime, session, principal, request_id, shown)
    return DiagnosisPage(items=[diagnosis_out(*one, explained=False) for one in shown])


# A body, not a query: an identifier does not belong into an address.
@router.post(
    "/stream",
    summary="A patient's running risk, as server-sent events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def stream_risk(
    body: RiskQuestion,
    principal: Reader,
    runtime: RuntimeDep,
    request_id: RequestIdDep,
    neighbours: Annotated[Neighbours, Depends(get_neighbours)],
    dispatcher: Annotated[Dispatcher, Depends(get_dispatcher)],
) -> StreamingResponse:
    """A `risk` event now, and one whenever the evidence or the consent has changed, each of a diagnosis of its own."""
    digest = digest_json({"runningRiskOf": body.patient})
    order = Order(body.patient, None, "routine", tuple(Modality), principal, key=None, digest=digest)
    usecases.check_order(order, runtime.clock())
    first = await usecases.snapshot_case(runtime, neighbours, order)
    stream = running_risk(Asker(runtime, neighbours, dispatcher, order, request_id), first, body.every_s)
    return sse.stream(stream)


@router.get("/{diagnosis_id}", summary="One diagnosis")
def read_diagnosis(
    diagnosis_id: str, principal: Reader, runtime: RuntimeDep, session: SessionDep, request_id: RequestIdDep
) -> DiagnosisOut:
    """Where the job stands, and the whole result once it is released."""
    return diagnosis_out(*usecases.read_diagnosis(runtime, session, principal, request_id, diagnosis_id))


@router.get(
    "/{diagnosis_id}/events",
    summary="Progress, as server-sent events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def watch_diagnosis(diagnosis_id: str, principal: Reader, runtime: RuntimeDep) -> StreamingResponse:
    """`stage` events with `{status, stage}`, and `done` when the status is final. They hold no patient data."""
    await run_in_threadpool(usecases.progress, runtime, diagnosis_id)
    stream = progress_events(lambda: usecases.progress(runtime, diagnosis_id))
    return sse.stream(stream)


@router.get("/{diagnosis_id}/manifest", summary="The frozen case")
def read_manifest(
    diagnosis_id: str, principal: Reader, runtime: RuntimeDep, session: SessionDep, request_id: RequestIdDep
) -> Response:
    """Canonical JSON (RFC 8785) whose SHA-256 is `case.digest`."""
    content = usecases.read_manifest(runtime, session, principal, request_id, diagnosis_id)
    return Response(content, media_type="application/json")


@router.get(
    "/{diagnosis_id}/heatmaps/{sop_instance_uid}",
    summary="A heat map",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
def read_heatmap(
    diagnosis_id: str,
    sop_instance_uid: str,
    principal: Reader,
    runtime: RuntimeDep,
    session: SessionDep,
    request_id: RequestIdDep,
) -> Response:
    """A PNG (RGBA) to lay over the whole image."""
    content = usecases.read_heatmap(runtime, session, principal, request_id, diagnosis_id, sop_instance_uid)
    return Response(content, media_type="image/png", headers={"Cache-Control": "private, no-store"})


@router.post(
    "/{diagnosis_id}/feedback",
    status_code=201,
    summary="What the clinician made of it",
    responses=refusals(Conflict),
)
def give_feedback(
    diagnosis_id: str,
    body: FeedbackIn,
    principal: Clinician,
    runtime: RuntimeDep,
    session: SessionDep,
    request_id: RequestIdDep,
) -> FeedbackOut:
    """Accept, override with one's own SNOMED CT code, or comment."""
    feedback = usecases.give_feedback(runtime, session, principal, request_id, diagnosis_id, body)
    return FeedbackOut.from_domain(feedback)
