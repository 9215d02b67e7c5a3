"""The door for derived values: `/vitals/derived`."""

from __future__ import annotations

from fastapi import APIRouter

from services.vitals.api import Clinical, SettingsDep
from services.vitals.derived import usecases
from services.vitals.derived.schemas import DerivedAnswer, DerivedQuestion
from services.vitals.usecases import Asker
from shared.web import RequestIdDep, RuntimeDep, SessionDep

router = APIRouter(prefix="/vitals/derived", tags=["vitals"])


# A body, not a query: an identifier does not belong into an address, which proxies write down.
@router.post("")
def derive_values(
    question: DerivedQuestion,
    principal: Clinical,
    session: SessionDep,
    runtime: RuntimeDep,
    settings: SettingsDep,
    request_id: RequestIdDep,
) -> DerivedAnswer:
    """NEWS2, resting heart rate and heart rate variability, each with formula, source, inputs and what is missing."""
    as_of = question.as_of or runtime.clock()
    asker = Asker(principal, request_id)
    found = usecases.derive(session, runtime, asker, settings.sources, question.patient, as_of, question.stated())
    return DerivedAnswer.from_domain(as_of, found)
