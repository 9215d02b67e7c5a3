"""Breaking the glass, and looking at who did."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.domain.break_glass import Access, Finding, Review, State
from services.audit.errors import AlreadyReviewed, NoSuchAccess, OwnAccess
from services.audit.store import break_glass as store
from shared.auth import Principal
from shared.clock import rfc3339
from shared.contracts.base import Modality, Purpose
from shared.database import reading
from shared.digests import digest_json
from shared.ids import uuid7

OPENED = Counter("consilium_consent_break_glass_total", "Accesses that broke the glass.", ["purpose"])
logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class NewAccess:
    """What somebody wants to see against the patient's consents, and why."""

    patient: str
    purpose: Purpose
    modalities: tuple[Modality, ...]
    reason: str


def break_glass(context: AuditContext, principal: Principal, wanted: NewAccess, request_id: str) -> Access:
    """Open an access for a short time. Returns when a signed checkpoint covers its event, and not before."""
    now = context.clock()
    access = Access(
        id=uuid7(), patient=wanted.patient, purpose=wanted.purpose, modalities=wanted.modalities, reason=wanted.reason,
        subject_ref=context.events.pseudonyms.patient(context.tenant, wanted.patient),
        issuer=principal.issuer, subject=principal.subject, opened_at=now,
        expires_at=now + timedelta(minutes=context.break_glass.open_minutes),
        review_due_at=now + timedelta(hours=context.break_glass.review_within_hours), index=-1,
    )  # fmt: skip
    event = context.events.event(
        principal, "break-glass", "break-glass-opened", "E",
        patient=access.patient, kind="consent", object_id=access.id, purpose=str(access.purpose),
        digest=digest_json({"reason": access.reason}), request_id=request_id,
        details={
            "modalities": [str(modality) for modality in access.modalities],
            "expiresAt": rfc3339(access.expires_at), "reviewDueAt": rfc3339(access.review_due_at),
        },
    )  # fmt: skip

    def _apply(session: Session, index: int) -> Access:
        numbered = replace(access, index=index)
        store.add_access(session, numbered)
        return numbered

    _, opened = context.record([event], _apply)
    OPENED.labels(str(access.purpose)).inc()
    logger.warning("the glass was broken", access=access.id, purpose=str(access.purpose))
    numbered: Access = opened
    return numbered


def review_access(
    context: AuditContext, principal: Principal, access_id: str, finding: Finding, comment: str | None, request_id: str
) -> Access:
    """Keep what another person made of an access.

    Raises: NoSuchAccess. OwnAccess: the reviewer opened it. AlreadyReviewed.
    """
    access = _find(context, access_id)
    if (principal.issuer, principal.subject) == (access.issuer, access.subject):
        raise OwnAccess("Who broke the glass cannot review it: another person has to.")
    if access.review is not None:
        raise AlreadyReviewed("This access was reviewed before.")
    event = context.events.event(
        principal, "break-glass", "break-glass-reviewed", "U",
        subject_ref=access.subject_ref, kind="consent", object_id=access.id, purpose=str(access.purpose),
        digest=digest_json({"comment": comment}), request_id=request_id,
        details={"finding": finding, "overdue": access.state(context.clock()) == "overdue"},
    )  # fmt: skip
    review = Review(finding, comment, principal.issuer, principal.subject, event.occurred_at, -1)

    def _apply(session: Session, index: int) -> Access:
        present = store.find_access(session, access_id)
        if present is None or present.review is not None:
            raise AlreadyReviewed("This access was reviewed before.")
        numbered = replace(review, index=index)
        store.add_review(session, access_id, numbered)
        return replace(present, review=numbered)

    _, reviewed = context.record([event], _apply)
    kept: Access = reviewed
    return kept


def list_accesses(
    context: AuditContext, principal: Principal, state: State | None, limit: int, request_id: str
) -> list[Access]:
    """Accesses, those whose review is due first; who asked is logged before the answer."""
    event = context.events.event(
        principal, "query", "break-glass-listed", "R", request_id=request_id, details={"state": state or "all"}
    )
    context.record([event])
    with reading(context.sessions) as session:
        return store.list_accesses(session, state, context.clock(), limit)


def unreviewed(context: AuditContext) -> tuple[int, int]:
    """How many accesses nobody has reviewed, and how many of those are overdue."""
    with reading(context.sessions) as session:
        return store.count_unreviewed(session), store.count_unreviewed(session, context.clock())


def _find(context: AuditContext, access_id: str) -> Access:
    with reading(context.sessions) as session:
        access = store.find_access(session, access_id)
    if access is None:
        raise NoSuchAccess("Nobody has broken the glass under this id.")
    return access
