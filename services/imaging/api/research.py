"""The research door: images without their patient, and the queue of those that somebody has to look at first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from services.imaging import review_queue
from services.imaging.api.deps import DecodersDep
from services.imaging.api.wado import PRIVATE
from services.imaging.domain import ReviewState
from services.imaging.schemas import DecisionIn, DecisionOut, ExportIn, ImageRegion, ReviewList, ReviewOut
from services.imaging.usecases import reads
from shared.auth import Principal, Role, require
from shared.database import reading
from shared.errors import problem_response
from shared.web import RequestIdDep, RuntimeDep, SessionDep

router = APIRouter(prefix="/research", tags=["research"])

ResearcherDep = Annotated[Principal, Depends(require(Role.RESEARCHER))]
ReviewerDep = Annotated[Principal, Depends(require(Role.CLINICIAN))]
LISTED = 100
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "DICOM files and `manifest.json`.", "content": {"application/zip": {}}},
    403: {"description": "No consent to research, or another role.", "content": {"application/problem+json": {}}},
    404: {"description": "No such study.", "content": {"application/problem+json": {}}},
    409: {"description": "Everything waits for review.", "content": {"application/problem+json": {}}},
}


@router.post("/exports", response_class=Response, responses=_ANSWERS)
def export_study(
    body: ExportIn,
    request: Request,
    researcher: ResearcherDep,
    session: SessionDep,
    runtime: RuntimeDep,
    decoders: DecodersDep,
    request_id: RequestIdDep,
) -> Response:
    """A study without its patient: a zip file of DICOM files, and of what was kept back the reason."""
    from services.imaging.deid.identity import ResearchIdentity
    from services.imaging.usecases import research

    rows = reads.get_instances(runtime, body.study)
    basis = research.research_consent(runtime, rows[0].patient, researcher)
    if basis.decision != "permit":
        # Answered, not raised: the transaction that holds the audit event must be committed.
        research.record_export(session, runtime, researcher, rows, basis, None, [], request_id)
        return problem_response(research.no_consent())
    identity = ResearchIdentity.from_file(runtime.common.pseudonym_key_file, runtime.common.tenant)
    exporter = research.Exporter(runtime, identity, decoders, request.app.state.find_text)
    exported, found = exporter.export(rows)
    research.record_export(session, runtime, researcher, rows, basis, exported, found, request_id)
    if not exported.files:
        return problem_response(research.nothing_to_export(exported))
    return Response(exported.to_zip(), media_type="application/zip", headers=PRIVATE)


@router.get("/reviews")
def list_reviews(_: ReviewerDep, runtime: RuntimeDep) -> ReviewList:
    """Images that were asked for and wait for somebody to look at them, the longest first; at most 100."""
    with reading(runtime.sessions) as session:
        found = review_queue.waiting(session, runtime.common.tenant, LISTED)
        return ReviewList(items=[ReviewOut.from_domain(review, row) for review, row in found])


@router.post("/reviews/{id}")
def decide_review(
    id: str,  # noqa: A002  # the name in the contract's path
    body: DecisionIn,
    reviewer: ReviewerDep,
    session: SessionDep,
    runtime: RuntimeDep,
    request_id: RequestIdDep,
) -> DecisionOut:
    """Say that nothing in an image names its patient, what to blank in it, or that it stays here."""
    from services.imaging.usecases import research

    regions = [region.to_domain() for region in body.regions]
    state = ReviewState(body.decision)
    review = research.decide_review(session, runtime, reviewer, id, state, regions, request_id)
    kept = [ImageRegion.from_domain(region) for region in review.regions]
    return DecisionOut(id=review.instance_id, state=review.state, regions=kept)
