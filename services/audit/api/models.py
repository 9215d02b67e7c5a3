"""The registry of model bundles."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response

from services.audit.api.deps import ContextDep, Id
from services.audit.cards.content import CardContent
from services.audit.cards.forms import CardForm, card_as, form_of
from services.audit.domain.registry import Stage
from services.audit.model_schemas import Card, ModelDetail, ModelIn, ModelList, ModelSummary, PromoteIn, RollbackIn
from services.audit.usecases import registry as usecases
from services.audit.usecases.evidence import gates_of
from shared.auth import Principal, Role, require
from shared.contracts.base import Moment
from shared.errors import Conflict, TooManyRequests
from shared.openapi import Answers, refusals
from shared.web import RequestIdDep

router = APIRouter(prefix="/models", tags=["models"])
AnyRole = [Depends(require(*Role))]
Owner = Annotated[Principal, Depends(require(Role.ADMIN, Role.SERVICE))]
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]


@router.get("", dependencies=AnyRole)
def list_models(
    context: ContextDep,
    stage: Stage | None = None,
    active_at: Annotated[
        Moment | None, Query(alias="activeAt", description="Only the bundle that was active then.")
    ] = None,
) -> ModelList:
    """All bundles, or those in one stage now, or the one that was active at a time."""
    found = usecases.list_bundles(context, stage)
    if active_at is not None:
        active = usecases.active_at(context, active_at)
        found = [one for one in found if one.bundle.id == active]
    return ModelList(items=[ModelSummary.from_domain(one) for one in found])


_REGISTERED: Answers = {
    200: {"model": ModelSummary, "description": "The same bundle was registered before."},
    **refusals(Conflict, TooManyRequests),
}


@router.post("", status_code=201, responses=_REGISTERED)
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


@router.post("/rollback", responses=refusals(Conflict, TooManyRequests))
def roll_back(
    principal: Admin, context: ContextDep, request_id: RequestIdDep, body: RollbackIn | None = None
) -> ModelSummary:
    """Make the previously active bundle active again. The next prediction is its own; a canary retires."""
    reason = body.reason if body is not None else None
    return ModelSummary.from_domain(usecases.roll_back(context, principal, reason, request_id))


@router.get("/{model_id}", dependencies=AnyRole)
def get_model(model_id: Id, context: ContextDep) -> ModelDetail:
    """One bundle, its stage and its history, what is known of it, and which gates it has passed."""
    return ModelDetail.with_gates(usecases.get_bundle(context, model_id), *gates_of(context, model_id))


_NO_SCRIPTS = "default-src 'none'; style-src 'unsafe-inline'"
_FORMS: dict[str, Any] = {media_type: {} for media_type in ("text/html", "application/xml", "application/fhir+json")}


@router.get("/{model_id}/card", dependencies=AnyRole, response_model=Card, responses={200: {"content": _FORMS}})
def get_card(
    model_id: Id,
    context: ContextDep,
    form: Annotated[CardForm | None, Query(alias="format", description="Goes before `Accept`.")] = None,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """The model card as it was registered (JSON), to be read (HTML), as CHAI's Applied Model Card 0.2 (XML), or as a
    FHIR R4 DocumentReference that holds all three."""
    staged = usecases.get_bundle(context, model_id)
    body, media_type = card_as(form or form_of(accept), CardContent(staged.bundle, staged.stage))
    return Response(body, media_type=media_type, headers={"Content-Security-Policy": _NO_SCRIPTS})


@router.post("/{model_id}/promote", responses=refusals(Conflict, TooManyRequests))
def promote_model(
    model_id: Id, body: PromoteIn, principal: Owner, context: ContextDep, request_id: RequestIdDep
) -> ModelSummary:
    """Put a bundle into a stage. One bundle at most is active: the one before retires.

    409 `gates-not-passed` lists under `gates` what it lacks: `shadow` needs a verified signature; `canary` and `active`
    need that, the 31 source attributes, an evaluation, every subgroup above the floor, and two approvals.
    """
    return ModelSummary.from_domain(usecases.promote_bundle(context, principal, model_id, body.to_domain(), request_id))
