"""What is handed in about a bundle before it may answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from services.audit.api.deps import ContextDep, Id
from services.audit.context import AuditContext
from services.audit.model_schemas import ApprovalIn, EvaluationIn, ModelDetail, ModelSummary, SignatureIn
from services.audit.usecases import evidence as usecases
from services.audit.usecases import registry
from shared.auth import Principal, Role, require
from shared.contracts.base import Wire
from shared.contracts.models import Serving
from shared.errors import Conflict, TooManyRequests
from shared.openapi import Answers, refusals
from shared.web import RequestIdDep

router = APIRouter(tags=["models"])
Owner = Annotated[Principal, Depends(require(Role.ADMIN, Role.SERVICE))]
Person = Annotated[Principal, Depends(require(Role.ADMIN, Role.CLINICIAN))]
_KEPT: Answers = {
    200: {"model": ModelDetail, "description": "This is what was known already."},
    **refusals(Conflict, TooManyRequests),
}


@router.post("/models/{model_id}/signature", status_code=201, responses=_KEPT)
def check_signature(
    model_id: Id, body: SignatureIn, principal: Owner, context: ContextDep, request_id: RequestIdDep, response: Response
) -> ModelDetail:
    """Tell whether a bundle's signature was verified, and with which key. The latest word counts."""
    is_new = usecases.record_signature(context, principal, model_id, _content(body), request_id)
    return _answer(context, model_id, response, is_new)


@router.post("/models/{model_id}/evaluations", status_code=201, responses=_KEPT)
def evaluate_model(
    model_id: Id,
    body: EvaluationIn,
    principal: Owner,
    context: ContextDep,
    request_id: RequestIdDep,
    response: Response,
) -> ModelDetail:
    """Hand in an evaluation. The latest counts, and approvals from before it do not."""
    is_new = usecases.record_evaluation(context, principal, model_id, _content(body), request_id)
    return _answer(context, model_id, response, is_new)


@router.post("/models/{model_id}/approvals", status_code=201, responses=_KEPT)
def approve_model(
    model_id: Id, body: ApprovalIn, principal: Person, context: ContextDep, request_id: RequestIdDep, response: Response
) -> ModelDetail:
    """Approve a bundle whose other gates are passed. Two people have to, and not the one who registered it."""
    is_new = usecases.approve_bundle(context, principal, model_id, _content(body), request_id)
    return _answer(context, model_id, response, is_new)


@router.post("/models/{model_id}/local-activation", responses=refusals(Conflict, TooManyRequests))
def activate_locally(model_id: Id, principal: Owner, context: ContextDep, request_id: RequestIdDep) -> ModelSummary:
    """Make the bundle active that a suite came with, where the suite permits it and people have not decided yet."""
    return ModelSummary.from_domain(registry.activate_locally(context, principal, model_id, request_id))


@router.get("/internal/audit/models/serving", dependencies=[Depends(require(Role.SERVICE))], include_in_schema=False)
def get_serving(context: ContextDep) -> Serving:
    """Which bundles answer now, and for whom."""
    return registry.serving(context)


def _content(body: Wire) -> dict[str, Any]:
    return body.model_dump(mode="json", by_alias=True, exclude_none=True)


def _answer(context: AuditContext, model_id: str, response: Response, is_new: bool) -> ModelDetail:
    if not is_new:
        response.status_code = 200
    return ModelDetail.with_gates(registry.get_bundle(context, model_id), *usecases.gates_of(context, model_id))
