"""The auditor's questions about what a bundle has said. Each is itself an entry, written before the answer leaves."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from services.audit.api.cursors import decode_cursor, encode_cursor
from services.audit.api.deps import ContextDep, Id
from services.audit.context import AuditContext
from services.audit.domain.agreement import Agreement, Share
from services.audit.domain.entries import EntryFilter, Page
from services.audit.schemas import EntryPage, entry_json
from services.audit.usecases import predictions as usecases
from services.audit.usecases.entries import checkpoint_of, record_query
from services.audit.usecases.registry import get_bundle
from shared.auth import Principal, Role, require
from shared.contracts.base import Wire
from shared.database import reading
from shared.digests import canonical_json
from shared.web import RequestIdDep

router = APIRouter(prefix="/models", tags=["models"])
Auditor = Annotated[Principal, Depends(require(Role.AUDITOR))]
Overseer = Annotated[Principal, Depends(require(Role.AUDITOR, Role.ADMIN))]


class PredictionQuery(Wire):
    """Query of `GET /models/{id}/predictions`."""

    order: Literal["newest", "oldest"] = "newest"
    limit: int = Field(default=100, ge=1, le=500)
    cursor: str | None = Field(default=None, max_length=400)


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
    query: Annotated[PredictionQuery, Query()],
    principal: Auditor,
    context: ContextDep,
    request_id: RequestIdDep,
) -> Response:
    """Every prediction of a bundle: released, withheld, in the shadow. Pages and cursors as at `/audit/entries`."""
    get_bundle(context, model_id)
    page = _page_of(context, model_id, query)
    details = {"model": model_id, "order": page.order, "size": page.size}
    record_query(context, principal, "model-predictions", details, request_id)
    found = usecases.predictions_of(context, model_id, page, query.limit + 1)
    shown = found[: query.limit]
    more = len(found) > query.limit
    following = encode_cursor(_question(model_id), Page(page.order, page.size, shown[-1].index)) if more else None
    with reading(context.sessions) as session:
        checkpoint = checkpoint_of(session, page.size)
    head = {"size": checkpoint.size, "root": base64.b64encode(checkpoint.root).decode(), "note": checkpoint.note}
    items = b",".join(map(entry_json, shown))
    body = b'{"checkpoint":%b,"items":[%b],"next":%b}' % (canonical_json(head), items, canonical_json(following))
    return Response(body, media_type="application/json")


@router.get("/{model_id}/agreement")
def get_agreement(model_id: Id, principal: Overseer, context: ContextDep, request_id: RequestIdDep) -> AgreementList:
    """How far a bundle in the shadow said what was released, with 95 % intervals. Who asked is logged."""
    found = usecases.agreement_of(context, model_id)
    record_query(context, principal, "model-agreement", {"model": model_id}, request_id)
    return AgreementList(items=[AgreementOut.from_domain(one) for one in found])


def _page_of(context: AuditContext, model_id: str, query: PredictionQuery) -> Page:
    if query.cursor is not None:
        return decode_cursor(query.cursor, _question(model_id), query.order)
    return Page(query.order, usecases.newest_size(context))


def _question(model_id: str) -> EntryFilter:
    """What a cursor belongs to."""
    return EntryFilter(type="prediction", object_id=model_id)
