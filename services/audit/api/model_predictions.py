"""The auditor's questions about what a bundle has said. Each is itself an entry, written before the answer leaves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.audit.api.deps import Auditor, ContextDep, Id
from services.audit.api.entries import page_of, page_response
from services.audit.api.terms import PageQuery
from services.audit.domain.agreement import Agreement, Share
from services.audit.schemas import EntryPage
from services.audit.usecases import predictions as usecases
from services.audit.usecases.entries import record_query
from shared.auth import Principal, Role, require
from shared.contracts.base import Wire
from shared.web import RequestIdDep

router = APIRouter(prefix="/models", tags=["models"])
Overseer = Annotated[Principal, Depends(require(Role.AUDITOR, Role.ADMIN))]


class ShareOut(Wire):
    """A proportion with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def from_domain(cls, found: Share) -> ShareOut:
        return cls(value=found.value, low=found.low, high=found.high)


class AgreementOut(Wire):
    """A shadow beside one bundle."""

    beside: str
    n: int
    same_leading: ShareOut
    same_set: ShareOut
    mean_difference: float
    greatest_difference: float

    @classmethod
    def from_domain(cls, found: Agreement) -> AgreementOut:
        return cls(
            beside=found.beside, n=found.n, same_leading=ShareOut.from_domain(found.same_leading),
            same_set=ShareOut.from_domain(found.same_set), mean_difference=found.mean_difference,
            greatest_difference=found.greatest_difference,
        )  # fmt: skip


class AgreementList(Wire):
    """`GET /models/{id}/agreement`, by the bundle beside which the shadow ran."""

    items: list[AgreementOut]


@router.get("/{model_id}/predictions", response_model=EntryPage)
def list_predictions(
    model_id: Id,
    query: Annotated[PageQuery, Query()],
    principal: Auditor,
    context: ContextDep,
    request_id: RequestIdDep,
) -> Response:
    """Every prediction of a bundle: released, withheld, in the shadow. Pages and cursors as at `/audit/entries`."""
    wanted = usecases.predictions_of(context, model_id)
    page, checkpoint = page_of(query, wanted, context)
    details = {"model": model_id, "order": page.order, "size": page.size}
    record_query(context, principal, "model-predictions", details, request_id)
    return page_response(context, wanted, page, checkpoint, query.limit)


@router.get("/{model_id}/agreement")
def get_agreement(model_id: Id, principal: Overseer, context: ContextDep, request_id: RequestIdDep) -> AgreementList:
    """How far a bundle in the shadow said what was released, with 95 % intervals. Who asked is logged."""
    found = usecases.agreement_of(context, model_id)
    record_query(context, principal, "model-agreement", {"model": model_id}, request_id)
    return AgreementList(items=[AgreementOut.from_domain(one) for one in found])
