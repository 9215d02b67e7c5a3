"""Routes of the CDS Hooks service."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends

from services.ehr import usecases
from services.ehr.deps import NeighboursDep, VisitDep
from services.ehr.errors import UnknownCdsService
from services.ehr.hooks.requests import HOOK, read_feedback, read_hook
from services.ehr.threads import on_own_threads
from shared.auth import Role, require
from shared.web import RuntimeDep, SessionDep

SERVICE_ID = "consilium-acute-chest"
DISCOVERY = {
    "services": [
        {
            "hook": HOOK,
            "title": "Acute chest decision support",
            "description": "Shows the newest finished assessment of the patient: ranked diagnoses with probability and "
            "interval, or that and why the model abstained. Decision support, not a diagnosis.",
            "id": SERVICE_ID,
            "prefetch": {"patient": "Patient/{{context.patientId}}"},
            "usageRequirements": "Prefetch the Patient: its identifiers are those under which images, notes and vitals "
            "were sent. Without it context.patientId is taken as the identifier.",
        }
    ]
}

router = APIRouter(tags=["cds-hooks"], dependencies=[Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM))])


@router.get("/cds-services")
def discover() -> dict[str, Any]:
    """The CDS services there are."""
    return DISCOVERY


@router.post("/cds-services/{service_id}")
@on_own_threads
def call_service(
    service_id: str,
    body: Annotated[Any, Body()],
    session: SessionDep,
    runtime: RuntimeDep,
    neighbours: NeighboursDep,
    visit: VisitDep,
) -> dict[str, Any]:
    """The cards of the patient whose chart was opened. It reads finished results and never runs the model."""
    _check_service(service_id)
    cards = usecases.answer_hook(session, runtime, neighbours.results, visit, service_id, read_hook(body))
    return {"cards": cards}


@router.post("/cds-services/{service_id}/feedback")
def give_feedback(
    service_id: str, body: Annotated[Any, Body()], session: SessionDep, runtime: RuntimeDep, visit: VisitDep
) -> dict[str, Any]:
    """Keep what became of cards. Saying the same again changes nothing."""
    _check_service(service_id)
    usecases.keep_feedback(session, runtime, visit, service_id, read_feedback(body))
    return {}


def _check_service(service_id: str) -> None:
    if service_id != SERVICE_ID:
        raise UnknownCdsService(f"There is no such CDS service; GET /cds-services lists: {SERVICE_ID}.")
