"""What the diagnosis service asks (`shared.contracts.evidence`)."""

from __future__ import annotations

from fastapi import APIRouter

from services.imaging.api.deps import DecodersDep, ServiceDep
from services.imaging.usecases import reads
from shared.contracts.evidence import EvidenceList, EvidenceQuestion, RenderedImage
from shared.web import RequestIdDep, RuntimeDep, SessionDep

router = APIRouter(prefix="/internal/imaging", tags=["internal"])


@router.post("/evidence")
def list_evidence(question: EvidenceQuestion, _: ServiceDep, runtime: RuntimeDep) -> EvidenceList:
    """What is known of a patient's radiographs, newest first, without content."""
    return reads.list_evidence(runtime, question.patient, question.as_of)


@router.get("/evidence/{id}")
def get_evidence(
    id: str,  # noqa: A002  # the name in the contract's path
    principal: ServiceDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
) -> RenderedImage:
    """One radiograph as the networks see it."""
    return reads.get_rendered(session, runtime, decoders, principal, id, request_id)
