"""Giving, withdrawing, listing consents, and deciding by them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.domain.break_glass import EMERGENCIES, decide_emergency
from services.audit.domain.consent import Consent, Decision, Provision, Recipient, Request, content_of, decide
from services.audit.errors import ConsentAlreadyWithdrawn, NoSuchConsent
from services.audit.store import consents as store
from services.audit.store.break_glass import open_accesses
from shared.auth import Principal
from shared.clock import rfc3339
from shared.contracts.audit import ConsentAnswer, ConsentBasis, ConsentQuestion
from shared.contracts.base import Modality, Purpose
from shared.database import reading
from shared.digests import digest_json
from shared.ids import uuid7


@dataclass(frozen=True)
class NewConsent:
    """What a patient permits or denies."""

    patient: str
    decision: Decision
    purposes: tuple[Purpose, ...]
    modalities: tuple[Modality, ...]
    start: datetime | None
    end: datetime | None
    recipients: tuple[Recipient, ...] = ()
    exceptions: tuple[Provision, ...] = ()
    policy_uri: str | None = None
    source_digest: str | None = None


def give_consent(context: AuditContext, principal: Principal, given: NewConsent, request_id: str) -> Consent:
    """Record a consent and its log entry in one transaction; returns when a signed checkpoint covers it, and, where it
    may deny what was permitted, when no result can be released any more on what held before.

    Raises: BarrierNotReached.
    """
    now = context.clock()
    consent = Consent(
        id=uuid7(), version=1, patient=given.patient, subject_ref=_subject_ref(context, given.patient),
        decision=given.decision, purposes=given.purposes, modalities=given.modalities, start=given.start,
        end=given.end, withdrawn=False, given_index=-1, index=-1, given_at=now, recorded_at=now,
        recipients=given.recipients, exceptions=given.exceptions, policy_uri=given.policy_uri,
        source_digest=given.source_digest,
    )  # fmt: skip
    event = context.events.event(
        principal, "consent", "consent-given", "C",
        patient=given.patient, kind="consent", object_id=consent.id, digest=digest_json(content_of(consent)),
        request_id=request_id, details=_details(consent),
    )  # fmt: skip

    def _apply(session: Session, index: int) -> Consent:
        numbered = replace(consent, given_index=index, index=index)
        store.add_version(session, numbered)
        return numbered

    recorded = _recorded(context.record([event], _apply))
    if recorded.may_narrow(now):
        _raise_barrier(context, recorded)
    return recorded


def withdraw_consent(context: AuditContext, principal: Principal, consent_id: str, request_id: str) -> Consent:
    """Withdraw a consent: from the answer on, every decision sees it, and no result is released that was decided on
    before. Withdrawing twice changes nothing and makes sure of that again.

    Raises: NoSuchConsent. BarrierNotReached: it is withdrawn; withdraw again until it answers.
    """
    withdrawn = _withdraw(context, principal, get_consent(context, consent_id), request_id)
    _raise_barrier(context, withdrawn)
    return withdrawn


def _withdraw(context: AuditContext, principal: Principal, consent: Consent, request_id: str) -> Consent:
    if consent.withdrawn:
        return consent
    withdrawn = replace(consent, version=consent.version + 1, withdrawn=True)
    event = context.events.event(
        principal, "consent", "consent-withdrawn", "U",
        subject_ref=consent.subject_ref, kind="consent", object_id=consent.id,
        digest=digest_json(content_of(withdrawn)),
        request_id=request_id, details=_details(withdrawn),
    )  # fmt: skip

    def _apply(session: Session, index: int) -> Consent:
        present = store.find_consent(session, consent.id)
        if present is None or present.withdrawn:
            raise ConsentAlreadyWithdrawn("This consent was withdrawn before.")
        changed = replace(withdrawn, index=index, recorded_at=event.occurred_at)
        store.add_version(session, changed)
        return changed

    try:
        return _recorded(context.record([event], _apply))
    except ConsentAlreadyWithdrawn:
        return get_consent(context, consent.id)


def _raise_barrier(context: AuditContext, consent: Consent) -> None:
    if context.barrier is None:
        return
    with reading(context.sessions) as session:
        _, epoch = store.consents_of(session, consent.subject_ref)
    context.barrier.raise_to(consent.subject_ref, epoch)


def get_consent(context: AuditContext, consent_id: str) -> Consent:
    """The newest version of one consent. Raises: NoSuchConsent."""
    with reading(context.sessions) as session:
        consent = store.find_consent(session, consent_id)
    if consent is None:
        raise NoSuchConsent("There is no such consent.")
    return consent


def consent_history(context: AuditContext, principal: Principal, consent_id: str, request_id: str) -> list[Consent]:
    """All versions of a consent, the first one first; who asked is logged before the answer. Raises: NoSuchConsent."""
    with reading(context.sessions) as session:
        versions = store.versions_of(session, consent_id)
    if not versions:
        raise NoSuchConsent("There is no such consent.")
    event = context.events.event(
        principal, "read", "consent-history-read", "R",
        subject_ref=versions[0].subject_ref, kind="consent", object_id=consent_id, request_id=request_id,
    )  # fmt: skip
    context.record([event])
    return versions


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
    subject_ref, now = _subject_ref(context, question.patient), context.clock()
    request = Request(question.purpose, question.modalities, question.actor)
    with reading(context.sessions) as session:
        consents, epoch = store.consents_of(session, subject_ref)
        if question.purpose in EMERGENCIES:
            accesses = open_accesses(session, subject_ref, now)
            verdicts = decide_emergency(consents, accesses, request, now, context.policy)
        else:
            verdicts = decide(consents, request, now, context.policy)
    decisions = {
        modality: ConsentBasis(
            decision=verdict.decision,
            reason=verdict.reason,
            consent_ids=[verdict.consent_id] if verdict.consent_id else [],
            policy_digest=context.policy.digest,
            digest=verdict.digest,
        )
        for modality, verdict in verdicts.items()
    }
    return ConsentAnswer(decisions=decisions, epoch=epoch)


def _subject_ref(context: AuditContext, patient: str) -> str:
    return context.events.pseudonyms.patient(context.tenant, patient)


def _details(consent: Consent) -> dict[str, Any]:
    """What the log says of a version. Its leaves are public: whom a consent speaks of is behind the digest."""
    period = {"start": consent.start, "end": consent.end}
    return {
        "decision": consent.decision,
        "purpose": str(consent.purposes[0]),
        "purposes": [str(purpose) for purpose in consent.purposes],
        "modalities": [str(modality) for modality in consent.modalities],
        "version": consent.version,
        "recipients": len(consent.recipients),
        "exceptions": len(consent.exceptions),
        **{name: rfc3339(moment) for name, moment in period.items() if moment is not None},
    }


def _recorded(answer: tuple[Any, Any]) -> Consent:
    consent: Consent = answer[1]
    return consent
