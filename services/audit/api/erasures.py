"""Erasures and legal holds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import StringConstraints

from services.audit.api.deps import ContextDep, Id
from services.audit.consent_schemas import PatientId
from services.audit.domain.erasure import Erasure, Hold, Part, State
from services.audit.schemas import PLAIN
from services.audit.usecases import erasures as usecases
from shared.auth import Principal, Role, require
from shared.contracts.base import Wire
from shared.web import RequestIdDep

router = APIRouter(tags=["erasure"])
Admin = Annotated[Principal, Depends(require(Role.ADMIN))]
Watcher = Annotated[Principal, Depends(require(Role.ADMIN, Role.AUDITOR))]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=500, pattern=PLAIN)]
Owner = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=PLAIN)]


class ErasureIn(Wire):
    """`POST /erasures`."""

    patient: PatientId
    reason: Words
    """Why, without saying who: it is kept when the patient's data are gone."""


class ErasureReceiptOut(Wire):
    """What one service has erased."""

    service: str
    done_at: datetime | None
    """Null: it has not answered yet."""
    stores: dict[str, int] | None
    """How many of which store."""
    attempts: int

    @classmethod
    def from_domain(cls, part: Part) -> ErasureReceiptOut:
        stores = dict(part.stores) if part.stores is not None else None
        return cls(service=part.service, done_at=part.done_at, stores=stores, attempts=part.attempts)


class ErasureOut(Wire):
    """One erasure. It names the patient by pseudonym alone."""

    id: str
    state: State
    subject_ref: str
    reason: str
    by: str
    requested_at: datetime
    finished_at: datetime | None
    receipts: list[ErasureReceiptOut]
    holds: list[str]
    """Ids of the holds that it waits for."""
    index: int | None
    """Log index of the newest event that tells of it."""

    @classmethod
    def from_domain(cls, erasure: Erasure, holds: list[Hold]) -> ErasureOut:
        return cls(
            id=erasure.id, state=erasure.state, subject_ref=erasure.subject_ref, reason=erasure.reason,
            by=erasure.subject, requested_at=erasure.requested_at, finished_at=erasure.finished_at,
            receipts=[ErasureReceiptOut.from_domain(part) for part in erasure.parts],
            holds=[hold.id for hold in holds], index=erasure.index,
        )  # fmt: skip


class HoldIn(Wire):
    """`POST /holds`."""

    patient: PatientId
    reason: Words
    owner: Owner
    """Who answers for it, such as a department or a file number."""


class HoldOut(Wire):
    """One legal hold. It names the patient by pseudonym alone."""

    id: str
    subject_ref: str
    reason: str
    owner: str
    by: str
    placed_at: datetime
    released_at: datetime | None
    released_by: str | None
    index: int
    """Log index of the event that tells of its placing."""

    @classmethod
    def from_domain(cls, hold: Hold) -> HoldOut:
        return cls(
            id=hold.id, subject_ref=hold.subject_ref, reason=hold.reason, owner=hold.owner, by=hold.subject,
            placed_at=hold.placed_at, released_at=hold.released_at, released_by=hold.released_by, index=hold.index,
        )  # fmt: skip


class HoldList(Wire):
    """`GET /holds`: those that stand, oldest first."""

    items: list[HoldOut]


@router.post("/erasures", status_code=202, responses={200: {"model": ErasureOut, "description": "It was asked for."}})
def request_erasure(
    body: ErasureIn, principal: Admin, context: ContextDep, request_id: RequestIdDep, response: Response
) -> ErasureOut:
    """Have everything erased that the suite keeps of a patient, but for the log and its skeleton."""
    erasure, is_new = usecases.request_erasure(context, principal, body.patient, body.reason, request_id)
    response.status_code = 202 if is_new else 200
    response.headers["Location"] = f"/erasures/{erasure.id}"
    return ErasureOut.from_domain(erasure, [])


@router.get("/erasures/{erasure_id}")
def get_erasure(erasure_id: Id, principal: Watcher, context: ContextDep, request_id: RequestIdDep) -> ErasureOut:
    """How far an erasure is, with a receipt of each service. Who asked is logged."""
    return ErasureOut.from_domain(*usecases.get_erasure(context, principal, erasure_id, request_id))


@router.post("/holds", status_code=201)
def place_hold(body: HoldIn, principal: Admin, context: ContextDep, request_id: RequestIdDep) -> HoldOut:
    """Keep a patient's data: an erasure that has not begun waits."""
    wanted = usecases.NewHold(body.patient, body.reason, body.owner)
    return HoldOut.from_domain(usecases.place_hold(context, principal, wanted, request_id))


@router.get("/holds")
def list_holds(principal: Watcher, context: ContextDep, request_id: RequestIdDep) -> HoldList:
    """The legal holds that stand. Who asked is logged."""
    return HoldList(items=[HoldOut.from_domain(hold) for hold in usecases.list_holds(context, principal, request_id)])


@router.post("/holds/{hold_id}/release")
def release_hold(hold_id: Id, principal: Admin, context: ContextDep, request_id: RequestIdDep) -> HoldOut:
    """End a hold: erasures that waited for it alone are carried out. Releasing again changes nothing."""
    return HoldOut.from_domain(usecases.release_hold(context, principal, hold_id, request_id))
