"""Giving, withdrawing, listing consents, and deciding by them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.domain.consent import Consent, Decision, decide
from services.audit.errors import ConsentAlreadyWithdrawn, NoSuchConsent
from services.audit.store import consents as store
from shared.auth import Principal
from shared.clock import rfc3339
from shared.contracts.audit import ConsentAnswer, ConsentBasis, ConsentQuestion
from shared.contracts.base import Modality, Purpose
from shared.database import reading
from shared.ids import uuid7


@dataclass(frozen=True)
class NewConsent:
    """What a patient permits or denies."""

    patient: str
    decision: Decision
    purpose: Purpose
    modalities: tuple[Modality, ...]
    start: datetime | None
    end: datetime | None


def give_consent(context: AuditContext, principal: Principal, given: NewConsent, request_id: str) -> Consent:
    """Record a consent and its log entry in one transaction; returns when a signed checkpoint covers it."""
    consent_id, now = uuid7(), context.clock()
    event = context.events.event(
        principal, "consent", "consent-given", "C",
        patient=given.patient, kind="consent", object_id=consent_id, request_id=request_id, details=_details(given, 1),
    )  # fmt: skip

    def _apply(session: Session, index: int) -> Consent:
        consent = Consent(
            id=consent_id, version=1, patient=given.patient, subject_ref=str(event.subject_ref),
            decision=given.decision, purpose=given.purpose, modalities=given.modalities, start=given.start,
            end=given.end, withdrawn=False, given_index=index, index=index, given_at=now, recorded_at=now,
        )  # fmt: skip
        store.add_version(session, consent)
        return consent

    return _recorded(context.record([event], _apply))


def withdraw_consent(context: AuditContext, principal: Principal, consent_id: str, request_id: str) -> Consent:
    """Withdraw a consent: from the answer on, every decision sees it. Withdrawing twice changes nothing.

    Raises: NoSuchConsent.
    """
    consent = get_consent(context, consent_id)
    if consent.withdrawn:
        return consent
    details = {"decision": consent.decision, "purpose": str(consent.purpose), "version": consent.version + 1}
    event = context.events.event(
        principal, "consent", "consent-withdrawn", "U",
        patient=consent.patient, kind="consent", object_id=consent_id, request_id=request_id, details=details,
    )  # fmt: skip

    def _apply(session: Session, index: int) -> Consent:
        present = store.find_consent(session, consent_id)
        if present is None or present.withdrawn:
            raise ConsentAlreadyWithdrawn("This consent was withdrawn before.")
        changed = replace(
            present, version=present.version + 1, withdrawn=True, index=index, recorded_at=event.occurred_at
        )
        store.add_version(session, changed)
        return changed

    try:
        return _recorded(context.record([event], _apply))
    except ConsentAlreadyWithdrawn:
        return get_consent(context, consent_id)


def get_consent(context: AuditContext, consent_id: str) -> Consent:
    """The newest version of one consent. Raises: NoSuchConsent."""
    with reading(context.sessions) as session:
        consent = store.find_consent(session, consent_id)
    if consent is None:
        raise NoSuchConsent("There is no such consent.")
    return consent


def list_consents(
    context: AuditContext, principal: Principal, patient: str, request_id: str
) -> tuple[list[Consent], int]:
    """A patient's consents, oldest first, and the epoch; who asked is logged before the answer."""
    event = context.events.event(
        principal, "read", "consents-read", "R", patient=patient, kind="consent", object_id="", request_id=request_id
    )
    context.record([event])
    with reading(context.sessions) as session:
        return store.consents_of(session, str(event.subject_ref))


def decide_consent(context: AuditContext, question: ConsentQuestion) -> ConsentAnswer:
    """What this patient's consents allow now."""
    subject_ref = context.events.pseudonyms.patient(context.tenant, question.patient)
    with reading(context.sessions) as session:
        consents, epoch = store.consents_of(session, subject_ref)
    verdicts = decide(consents, question.purpose, question.modalities, context.clock(), context.policy)
    digest = context.policy.digest
    decisions = {
        modality: ConsentBasis(
            decision=verdict.decision,
            reason=verdict.reason,
            consent_ids=[verdict.consent_id] if verdict.consent_id else [],
            policy_digest=digest,
        )
        for modality, verdict in verdicts.items()
    }
    return ConsentAnswer(decisions=decisions, epoch=epoch)


def _details(given: NewConsent, version: int) -> dict[str, Any]:
    period = {"start": given.start, "end": given.end}
    return {
        "decision": given.decision,
        "purpose": str(given.purpose),
        "modalities": [str(modality) for modality in given.modalities],
        "version": version,
        **{name: rfc3339(moment) for name, moment in period.items() if moment is not None},
    }


def _recorded(answer: tuple[Any, Any]) -> Consent:
    consent: Consent = answer[1]
    return consent
