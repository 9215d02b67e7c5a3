"""AuditEvent for auditors: the log asked in their own name. It names patients by pseudonym: evidence stays closed."""

from __future__ import annotations

from heapq import merge
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from services.ehr.deps import Neighbours, NeighboursDep, VisitDep
from services.ehr.fhir.access import check_scopes
from services.ehr.fhir.audit_events import audit_event
from services.ehr.fhir.audit_search import LogSearch, log_searchset, read_log_search
from services.ehr.fhir.outcome import FhirResponse
from services.ehr.fhir.reading import Json
from services.ehr.fhir.routing import SEARCHED_BY_FORM, BaseUrlDep, FormDep, base_url_of, check_accept
from services.ehr.fhir.search import Pairs
from services.ehr.threads import on_own_threads
from services.ehr.usecases import Visit
from shared.auth import CHECKED_BY_ROUTE, Role, require
from shared.errors import BadRequest, NotAcceptable
from shared.openapi import refusals

router = APIRouter(
    prefix="/fhir/AuditEvent",
    tags=["fhir"],
    default_response_class=FhirResponse,
    dependencies=[
        Depends(require(Role.AUDITOR, scope=CHECKED_BY_ROUTE)),
        Depends(check_scopes),
        Depends(check_accept),
    ],
    responses=refusals(NotAcceptable),
)
Index = Annotated[int, Path(ge=0, le=2**53)]


@router.get("", name="search AuditEvent", responses=refusals(BadRequest))
@on_own_threads
def search_by_get(request: Request, neighbours: NeighboursDep, visit: VisitDep) -> FhirResponse:
    """Entries of the log, newest first. The audit service logs who asked."""
    return _search(request.query_params.multi_items(), request, neighbours, visit)


@router.post("/_search", name="search AuditEvent by POST", responses=SEARCHED_BY_FORM)
@on_own_threads
def search_by_post(form: FormDep, request: Request, neighbours: NeighboursDep, visit: VisitDep) -> FhirResponse:
    """The same with its parameters in the body, where no log of URLs can hold them."""
    return _search([*request.query_params.multi_items(), *form], request, neighbours, visit)


@router.get("/{resource_id}", name="read AuditEvent")
@on_own_threads
def read(resource_id: Index, neighbours: NeighboursDep, visit: VisitDep, base_url: BaseUrlDep) -> FhirResponse:
    """One entry of the log."""
    return FhirResponse(audit_event(neighbours.log.read(visit.caller, resource_id), base_url))


def _search(pairs: Pairs, request: Request, neighbours: Neighbours, visit: Visit) -> FhirResponse:
    state, base_url = request.app.state, base_url_of(request)
    events = state.runtime.events
    search = read_log_search(
        pairs, lambda patient: events.pseudonyms.patient(events.tenant, patient), limit=state.settings.search_limit
    )
    found = [audit_event(entry, base_url) for entry in _find(neighbours, visit, search)]
    return FhirResponse(log_searchset(base_url, search, found))


def _find(neighbours: Neighbours, visit: Visit, search: LogSearch) -> list[Json]:
    """One more than is shown, where there are more. Each of the log's types has its own index, and is asked for
    by itself."""
    asked = [{**search.terms, "type": kind} for kind in search.kinds] or [search.terms]
    pages = [neighbours.log.find(visit.caller, terms, search.count + 1) for terms in asked]
    newest_first = merge(*pages, key=lambda entry: -int(entry["index"]))
    return list(newest_first)[: search.count + 1]
