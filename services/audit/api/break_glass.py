"""Breaking the glass: open, list, review."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints, field_validator

from services.audit.api.deps import ContextDep, Id
from services.audit.consent_schemas import Modalities, PatientId
from services.audit.domain.break_glass import EMERGENCIES, Access, Finding, Review, State
from services.audit.usecases import break_glass as usecases
from shared.auth import Principal, Role, require
from shared.contracts.base import Modality, Purpose, Wire
from shared.web import RequestIdDep

router = APIRouter(prefix="/consents/break-glass", tags=["consent"])
Clinician = Annotated[Principal, Depends(require(Role.CLINICIAN))]
Watcher = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.AUDITOR))]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=10, max_length=1000)]


class BreakGlassIn(Wire):
    """`POST /consents/break-glass`."""

    patient: PatientId
    purpose: Purpose = Purpose.BTG
    modalities: Annotated[Modalities, Field(min_length=1)]
    reason: Words
    """In words, for whoever reviews it. It stays here; the log holds a commitment to it."""

    @field_validator("purpose")
    @classmethod
    def _an_emergency(cls, purpose: Purpose) -> Purpose:
        if purpose not in EMERGENCIES:
            raise ValueError(f"the glass is broken for {' or '.join(sorted(EMERGENCIES))} only")
        return purpose


class AccessReviewIn(Wire):
    """`POST /consents/break-glass/{id}/review`."""

    finding: Finding
    comment: Words | None = None


class AccessReviewOut(Wire):
    """What another person made of an access."""

    finding: Finding
    comment: str | None
    by: str
    at: datetime
    index: int

    @classmethod
    def from_domain(cls, review: Review) -> AccessReviewOut:
        return cls(
            finding=review.finding, comment=review.comment, by=review.subject, at=review.at, index=review.index
        )  # fmt: skip


class BreakGlassOut(Wire):
    """One access."""

    id: str
    patient: str
    purpose: Purpose
    modalities: list[Modality]
    reason: str
    by: str
    opened_at: datetime
    expires_at: datetime
    review_due_at: datetime
    state: State
    review: AccessReviewOut | None
    index: int
    """Log index of the event that tells of it."""

    @classmethod
    def from_domain(cls, access: Access, now: datetime) -> BreakGlassOut:
        review = AccessReviewOut.from_domain(access.review) if access.review else None
        return cls(
            id=access.id, patient=access.patient, purpose=access.purpose, modalities=list(access.modalities),
            reason=access.reason, by=access.subject, opened_at=access.opened_at, expires_at=access.expires_at,
            review_due_at=access.review_due_at, state=access.state(now), review=review, index=access.index,
        )  # fmt: skip


class BreakGlassList(Wire):
    """`GET /consents/break-glass`: those whose review is due first."""

    items: list[BreakGlassOut]


@router.post("", status_code=201)
def break_glass(
    body: BreakGlassIn, principal: Clinician, context: ContextDep, request_id: RequestIdDep
) -> BreakGlassOut:
    """Open what the patient's consents deny, for a short time and for oneself alone; another person must review it."""
    wanted = usecases.NewAccess(body.patient, body.purpose, tuple(body.modalities), body.reason)
    access = usecases.break_glass(context, principal, wanted, request_id)
    return BreakGlassOut.from_domain(access, context.clock())


@router.get("")
def list_accesses(
    principal: Watcher,
    context: ContextDep,
    request_id: RequestIdDep,
    state: Annotated[
        Literal["open", "overdue", "reviewed", "all"], Query(description="`open`: not reviewed, the overdue ones too.")
    ] = "open",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> BreakGlassList:
    """Who broke the glass. Who asked is logged."""
    wanted = None if state == "all" else state
    found = usecases.list_accesses(context, principal, wanted, limit, request_id)
    now = context.clock()
    return BreakGlassList(items=[BreakGlassOut.from_domain(access, now) for access in found])


@router.post("/{access_id}/review")
def review_access(
    access_id: Id, body: AccessReviewIn, principal: Watcher, context: ContextDep, request_id: RequestIdDep
) -> BreakGlassOut:
    """Say whether an access was justified; never one's own."""
    access = usecases.review_access(context, principal, access_id, body.finding, body.comment, request_id)
    return BreakGlassOut.from_domain(access, context.clock())
