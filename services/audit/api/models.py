"""The registry of model bundles."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.audit.api.deps import ContextDep, Id
from services.audit.domain.registry import Stage
from services.audit.schemas import Card, ModelIn, ModelList, ModelSummary, PromoteIn
from services.audit.usecases import registry as usecases
from shared.auth import Principal, Role, require
from shared.web import RequestIdDep

router = APIRouter(prefix="/models", tags=["models"])
AnyRole = [Depends(require(*Role))]
Owner = Annotated[Principal, Depends(require(Role.ADMIN, Role.SERVICE))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]


@router.get("", dependencies=AnyRole)
def list_models(context: ContextDep, stage: Stage | None = None) -> ModelList:
    """All bundles, or those in one stage."""
    return ModelList(items=[ModelSummary.from_domain(found) for found in usecases.list_bundles(context, stage)])


@router.post("", status_code=201)
def register_model(
    body: ModelIn, principal: Owner, context: ContextDep, request_id: RequestIdDep, response: Response
) -> ModelSummary:
    """Register a bundle as a candidate. The same bundle again answers 200 and changes nothing."""
    staged, is_new = usecases.register_bundle(
        context, principal, body.name, body.version, body.digest, body.card, request_id
    )
    if not is_new:
        response.status_code = 200
    return ModelSummary.from_domain(staged)


@router.post("/rollback")
def roll_back(principal: Admin, context: ContextDep, request_id: RequestIdDep) -> ModelSummary:
    """Make the previously active bundle active again."""
    return ModelSummary.from_domain(usecases.roll_back(context, principal, request_id))


@router.get("/{model_id}", dependencies=AnyRole)
def get_model(model_id: Id, context: ContextDep) -> ModelSummary:
    """One bundle, its stage and its history."""
    return ModelSummary.from_domain(usecases.get_bundle(context, model_id))


@router.get("/{model_id}/card", dependencies=AnyRole)
def get_card(model_id: Id, context: ContextDep) -> Card:
    """The model card as it was registered."""
    return Card(usecases.get_bundle(context, model_id).bundle.card)


@router.post("/{model_id}/promote")
def promote_model(
    model_id: Id, body: PromoteIn, principal: Owner, context: ContextDep, request_id: RequestIdDep
) -> ModelSummary:
    """Put a bundle into a stage. One bundle at most is active: the one before retires."""
    return ModelSummary.from_domain(usecases.promote_bundle(context, principal, model_id, body.stage, request_id))
