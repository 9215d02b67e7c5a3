"""Whether a past diagnosis comes out again: rebuilt from its digests by the worker that has its model.

The evidence must have the digests that the case froze, the bundle the digest that answered, and the stored result the
commitment that stands in the log: the log is asked, not our copy of what it was told. Nothing that was kept of the
first time is used.
"""

from __future__ import annotations

from services.diagnosis import store
from services.diagnosis.assembly import assemble
from services.diagnosis.comparison import difference
from services.diagnosis.domain import Job, StoredResult
from services.diagnosis.errors import EvidenceChanged, EvidenceGone, NotFinished
from services.diagnosis.recording import answer_of
from services.diagnosis.replay_schemas import EPSILON, TEXTS, ReplayOut, ReplayVerdict
from services.diagnosis.results import Spent, compose
from services.diagnosis.rows import ErasureRow
from services.diagnosis.running import Predictor, Worker, permitted, predict
from services.diagnosis.snapshot import Manifest, parse_manifest
from shared.contracts.diagnosis import DiagnosisResult
from shared.database import reading
from shared.digests import digest_bytes, digest_json
from shared.erasure import blobs_of
from shared.errors import NotFound


def replay(worker: Worker, job_id: str) -> ReplayOut:
    """Compute a released diagnosis again and compare.

    Raises: NotFinished; Unavailable: a neighbour does not answer.
    """
    with reading(worker.runtime.sessions) as session:
        job = store.find_job(session, job_id)
        stored = store.released_results(session, [job_id]).get(job_id)
        erased = store.erased_bundle(session, job_id) if job and job.erased_at else None
    if job is not None and erased is not None:
        return _told(job.id, job.manifest_digest, erased, ReplayVerdict.INPUTS_ERASED)
    if job is None or stored is None:
        raise NotFinished("This diagnosis has no result that could be replayed.")
    if not _is_as_logged(worker, stored):
        return _said(stored, ReplayVerdict.RECORD_ALTERED)
    model = worker.models.with_digest(stored.bundle_digest)
    if model is None:
        with_ = worker.models.active().predictor.bundle.digest
        return _said(stored, ReplayVerdict.OTHER_MODEL).model_copy(update={"replayed_with": with_})
    try:
        manifest = parse_manifest(blobs_of(worker.runtime, ErasureRow, job.patient).store.get(stored.manifest_digest))
        if permitted(worker, job, manifest)[0] != manifest:
            return _said(stored, ReplayVerdict.NOT_PERMITTED)
        again, heatmaps = _again(worker, model.predictor, job, manifest)
    except (NotFound, EvidenceGone):
        return _said(stored, ReplayVerdict.INPUTS_ERASED)
    except EvidenceChanged:
        return _said(stored, ReplayVerdict.INPUTS_CHANGED)
    return _compared(stored, again, heatmaps)


def _is_as_logged(worker: Worker, stored: StoredResult) -> bool:
    """Whether the stored result fits its event, and the log holds that very event where the result says."""
    committed = stored.event.object.digest if stored.event.object else None
    if committed != worker.runtime.events.pseudonyms.content(digest_json(answer_of(stored.body))):
        return False
    return worker.runtime.audit.holds(stored.event, stored.leaf_index, stored.leaf_hash)


def _again(
    worker: Worker, predictor: Predictor, job: Job, manifest: Manifest
) -> tuple[DiagnosisResult, dict[str, str]]:
    case = assemble(manifest.as_of, manifest.evidence, worker.contents.fetch_all(manifest.evidence))
    predictor.forget()
    prediction = predict(predictor, case, lambda _: None)
    images = prediction.explanation.images if prediction else ()
    heatmaps = {image.sop_instance_uid: digest_bytes(image.heatmap_png) for image in images}
    return compose(job.id, job.patient, manifest, predictor.bundle, prediction, Spent(0, 0, 0)), heatmaps


def _compared(stored: StoredResult, again: DiagnosisResult, heatmaps: dict[str, str]) -> ReplayOut:
    found = difference(answer_of(stored.body), answer_of(again))
    same_bytes = found.within(0.0) and heatmaps == stored.heatmaps
    verdict = (
        ReplayVerdict.BITWISE if same_bytes
        else ReplayVerdict.WITHIN_EPSILON if found.within(EPSILON)
        else ReplayVerdict.DIFFERS
    )  # fmt: skip
    said = _said(stored, verdict)
    return said.model_copy(update={"greatest_difference": found.greatest, "places": list(found.places)})


def _said(stored: StoredResult, verdict: ReplayVerdict) -> ReplayOut:
    return _told(stored.job_id, stored.manifest_digest, stored.bundle_digest, verdict)


def _told(job_id: str, case_digest: str, bundle_digest: str, verdict: ReplayVerdict) -> ReplayOut:
    return ReplayOut(
        diagnosis=job_id,
        verdict=verdict,
        text=TEXTS[verdict],
        case_digest=case_digest,
        bundle_digest=bundle_digest,
        replayed_with=bundle_digest,
    )
