"""Routes of the FHIR facade."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response

from services.ehr import usecases
from services.ehr.clients import ResultsClient
from services.ehr.deps import Neighbours, NeighboursDep, VisitDep
from services.ehr.fhir import consents, documents
from services.ehr.fhir.access import PatientLimitDep, check_scopes
from services.ehr.fhir.capability import capability_statement
from services.ehr.fhir.documents import from_note, to_note
from services.ehr.fhir.observations import from_samples, to_samples
from services.ehr.fhir.outcome import FhirResponse
from services.ehr.fhir.provenance import provenance, targets_as_ids
from services.ehr.fhir.reading import Json
from services.ehr.fhir.reports import diagnostic_report, risk_assessment
from services.ehr.fhir.routing import (
    SEARCHED_BY_FORM,
    BaseUrlDep,
    FhirId,
    FormDep,
    base_url_of,
    check_accept,
    check_content,
)
from services.ehr.fhir.search import Pairs, read_search, searchset, within
from services.ehr.threads import on_own_threads
from services.ehr.usecases import Visit
from shared.auth import CHECKED_BY_ROUTE, Role, require
from shared.contracts.diagnosis import DiagnosisOut
from shared.errors import AppError, BadRequest, Conflict, FieldProblem, NotAcceptable, UnsupportedMediaType
from shared.openapi import Answers, refusals
from shared.web import RuntimeDep, SessionDep

router = APIRouter(
    prefix="/fhir",
    tags=["fhir"],
    default_response_class=FhirResponse,
    dependencies=[
        Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM, scope=CHECKED_BY_ROUTE)),
        Depends(check_scopes),
        Depends(check_accept),
    ],
    responses=refusals(NotAcceptable),
)
Build = Callable[[Sequence[DiagnosisOut], ResultsClient], list[Json]]
"""Makes the resources of results; whatever else it needs it asks the diagnosis service for."""
_CREATED: Answers = {
    200: {"description": "It was known already."},
    **refusals(Conflict, UnsupportedMediaType),
}


@router.get("/metadata")
def read_capabilities(base_url: BaseUrlDep) -> FhirResponse:
    """What this server does (CapabilityStatement)."""
    return FhirResponse(capability_statement(base_url))


@router.post("/DocumentReference", status_code=201, dependencies=[Depends(check_content)], responses=_CREATED)
@on_own_threads
def create_document_reference(
    request: Request,
    body: Annotated[Any, Body()],
    session: SessionDep,
    runtime: RuntimeDep,
    neighbours: NeighboursDep,
    visit: VisitDep,
    base_url: BaseUrlDep,
) -> Response:
    """Store a clinical note, one attachment of text; 200 instead of 201 when it was known already."""
    note = to_note(body, neighbours.attachments.fetch)
    try:
        stored = usecases.create_note(session, runtime, neighbours.notes, visit, note)
    except AppError as error:
        raise _in_elements(error, documents.ELEMENTS) from error
    return _created(request, base_url, from_note(stored), new=stored.new)


@router.get("/DocumentReference/{resource_id}")
@on_own_threads
def read_document_reference(
    resource_id: FhirId, session: SessionDep, runtime: RuntimeDep, neighbours: NeighboursDep, visit: VisitDep
) -> FhirResponse:
    """A stored note."""
    return FhirResponse(from_note(usecases.read_note(session, runtime, neighbours.notes, visit, resource_id)))


@router.post("/Observation", status_code=201, dependencies=[Depends(check_content)], responses=_CREATED)
@on_own_threads
def create_observation(
    request: Request,
    body: Annotated[Any, Body()],
    session: SessionDep,
    runtime: RuntimeDep,
    neighbours: NeighboursDep,
    visit: VisitDep,
    base_url: BaseUrlDep,
) -> Response:
    """Store vital signs; 200 instead of 201 when all of them were known already."""
    samples = to_samples(body)
    stored = usecases.add_samples(session, runtime, neighbours.vitals, visit, samples)
    return _created(request, base_url, from_samples(stored.id, samples, body), new=stored.new)


@router.post(
    "/Consent",
    status_code=201,
    dependencies=[Depends(check_content)],
    responses=refusals(Conflict, UnsupportedMediaType),
)
@on_own_threads
def create_consent(
    request: Request, body: Annotated[Any, Body()], neighbours: NeighboursDep, visit: VisitDep, base_url: BaseUrlDep
) -> Response:
    """Record what a patient permits or denies; what is not understood of it is refused. The audit service logs it."""
    consent = consents.to_consent(body)
    try:
        kept = neighbours.consents.give(visit.caller, consent)
    except AppError as error:
        raise _in_elements(error, consents.ELEMENTS) from error
    return _created(request, base_url, consents.from_consent(kept), new=True)


@router.get("/Consent/{resource_id}")
@on_own_threads
def read_consent(resource_id: FhirId, neighbours: NeighboursDep, visit: VisitDep) -> FhirResponse:
    """The newest version of a consent. The audit service logs who asked."""
    return FhirResponse(consents.from_consent(neighbours.consents.read(visit.caller, resource_id)))


def _search_consents(pairs: Pairs, request: Request, neighbours: Neighbours, visit: Visit) -> FhirResponse:
    search = read_search(pairs, limit=request.app.state.settings.search_limit, by_id=False)
    kept = neighbours.consents.of_patient(visit.caller, search.patient or "")
    newest_first = [consents.from_consent(one) for one in reversed(kept)]
    return FhirResponse(searchset(base_url_of(request), "Consent", search, newest_first))


@router.get("/Consent", name="search Consent", responses=refusals(BadRequest))
@on_own_threads
def search_consents(request: Request, neighbours: NeighboursDep, visit: VisitDep) -> FhirResponse:
    """A patient's consents, newest first. The audit service logs who asked."""
    return _search_consents(request.query_params.multi_items(), request, neighbours, visit)


@router.post("/Consent/_search", name="search Consent by POST", responses=SEARCHED_BY_FORM)
@on_own_threads
def search_consents_by_post(
    form: FormDep, request: Request, neighbours: NeighboursDep, visit: VisitDep
) -> FhirResponse:
    """The same search with its parameters in the body, where no log of URLs can hold them."""
    return _search_consents([*request.query_params.multi_items(), *form], request, neighbours, visit)


def _in_elements(error: AppError, elements: Mapping[str, str]) -> AppError:
    """A neighbour's refusal in the words of the resource."""
    error.fields = tuple(FieldProblem(elements.get(f.field, f.field), f.problem, f.fix) for f in error.fields)
    return error


def _created(request: Request, base_url: str, resource: Json, *, new: bool) -> Response:
    headers = {"Location": f"{base_url}/{resource['resourceType']}/{resource['id']}"}
    status = 201 if new else 200
    if "return=minimal" in request.headers.get("prefer", ""):
        return Response(status_code=status, headers=headers)
    return FhirResponse(resource, status, headers)


def _add_result_routes(kind: str, slug: str, build: Build, understand: Callable[[Pairs], Pairs] = lambda p: p) -> None:
    """Read and search of one way to show results; `understand` puts parameters of its own into those of all."""

    def _search(
        pairs: Pairs, request: Request, session: SessionDep, visit: VisitDep, limit: str | None
    ) -> FhirResponse:
        state = request.app.state
        search = within(limit, read_search(understand(pairs), limit=state.settings.search_limit))
        results = state.neighbours.results
        found = usecases.find_results(session, state.runtime, results, visit, search, f"{slug}-search")
        return FhirResponse(searchset(base_url_of(request), kind, search, build(found, results)))

    @router.get(f"/{kind}", name=f"search {kind}", responses=refusals(BadRequest))
    @on_own_threads
    def search_by_get(request: Request, session: SessionDep, visit: VisitDep, limit: PatientLimitDep) -> FhirResponse:
        """Finished results of a patient, newest first."""
        return _search(request.query_params.multi_items(), request, session, visit, limit)

    @router.post(f"/{kind}/_search", name=f"search {kind} by POST", responses=SEARCHED_BY_FORM)
    @on_own_threads
    def search_by_post(
        form: FormDep, request: Request, session: SessionDep, visit: VisitDep, limit: PatientLimitDep
    ) -> FhirResponse:
        """The same search with its parameters in the body, where no log of URLs can hold them."""
        return _search([*request.query_params.multi_items(), *form], request, session, visit, limit)

    @router.get(f"/{kind}/{{resource_id}}", name=f"read {kind}")
    @on_own_threads
    def read(
        resource_id: FhirId,
        session: SessionDep,
        runtime: RuntimeDep,
        neighbours: NeighboursDep,
        visit: VisitDep,
        limit: PatientLimitDep,
    ) -> FhirResponse:
        """One finished result."""
        result = usecases.read_result(session, runtime, neighbours.results, visit, resource_id, f"{slug}-read", limit)
        return FhirResponse(build([result], neighbours.results)[0])


def _each(build: Callable[[DiagnosisOut], Json]) -> Build:
    return lambda found, _: [build(one) for one in found]


def _provenances(found: Sequence[DiagnosisOut], results: ResultsClient) -> list[Json]:
    reviews = results.reviews_of([one.id for one in found]) if found else []
    return [provenance(one, [review for review in reviews if review.diagnosis == one.id]) for one in found]


_add_result_routes("DiagnosticReport", "diagnostic-report", _each(diagnostic_report))
_add_result_routes("RiskAssessment", "risk-assessment", _each(risk_assessment))
_add_result_routes("Provenance", "provenance", _provenances, targets_as_ids)
