"""Consents: give, list, withdraw, and decide by them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from services.audit.api.deps import ContextDep, Id
from services.audit.consent_schemas import ConsentHistory, ConsentIn, ConsentList, ConsentOut, ConsentSearch, PatientId
from services.audit.usecases import consents as usecases
from shared.auth import Principal, Role, require
from shared.contracts.audit import ConsentAnswer, ConsentQuestion, StoringWords
from shared.errors import Conflict, TooLarge, TooManyRequests
from shared.openapi import refusals
from shared.web import RequestIdDep

router = APIRouter(tags=["consent"])
Giver = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM))]
Creator = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM, scope="Consent.c"))]
Reader = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM, Role.AUDITOR))]
Searcher = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM, Role.AUDITOR, scope="Consent.s"))]
VersionReader = Annotated[Principal, Depends(require(Role.CLINICIAN, Role.EHR_SYSTEM, Role.AUDITOR, scope="Consent.r"))]


@router.post("/consents", status_code=201, responses=refusals(TooManyRequests))
def create_consent(body: ConsentIn, principal: Creator, context: ContextDep, request_id: RequestIdDep) -> ConsentOut:
    """Record what a patient permits or denies. A later consent for the same purpose and modality supersedes."""
    consent = usecases.give_consent(context, principal, body.to_domain(), request_id)
    return ConsentOut.from_domain(consent, context.clock())


@router.get("/consents")
def list_consents(
    patient: Annotated[PatientId, Query()], principal: Reader, context: ContextDep, request_id: RequestIdDep
) -> ConsentList:
    """All consents of a patient, oldest first. Who asked is logged."""
    consents, epoch = usecases.list_consents(context, principal, patient, request_id)
    now = context.clock()
    return ConsentList(items=[ConsentOut.from_domain(consent, now) for consent in consents], epoch=epoch)


@router.post("/consents/search", responses=refusals(TooLarge))
def search_consents(
    body: ConsentSearch, principal: Searcher, context: ContextDep, request_id: RequestIdDep
) -> ConsentList:
    """The same by a body, so that the patient's identifier stands in no URL."""
    return list_consents(body.patient, principal, context, request_id)


@router.get("/consents/{consent_id}/versions")
def list_versions(
    consent_id: Id, principal: VersionReader, context: ContextDep, request_id: RequestIdDep
) -> ConsentHistory:
    """All that a consent ever said, the first version first. Who asked is logged."""
    versions = usecases.consent_history(context, principal, consent_id, request_id)
    now = context.clock()
    return ConsentHistory(items=[ConsentOut.from_domain(version, now) for version in versions])


@router.post("/consents/{consent_id}/withdraw", responses=refusals(Conflict, TooManyRequests))
def withdraw_consent(consent_id: Id, principal: Giver, context: ContextDep, request_id: RequestIdDep) -> ConsentOut:
    """Withdraw a consent: it denies from now on. Withdrawing again changes nothing."""
    consent = usecases.withdraw_consent(context, principal, consent_id, request_id)
    return ConsentOut.from_domain(consent, context.clock())


@router.get("/internal/audit/consent/storing", dependencies=[Depends(require(Role.SERVICE))])
async def list_storing_words(context: ContextDep) -> StoringWords:
    """Whose consents say anything of storing at all, so that the doors need not ask for everybody."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(context.workers, context.storing.words)


@router.post("/internal/audit/consent/decide", dependencies=[Depends(require(Role.SERVICE))])
async def decide_consent(body: ConsentQuestion, context: ContextDep) -> ConsentAnswer:
    """May these modalities of this patient be used for this purpose now?"""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(context.workers, usecases.decide_consent, context, body)
