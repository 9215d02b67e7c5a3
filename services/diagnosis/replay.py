"""Whether a past diagnosis comes out again: rebuilt from its digests by the worker that has its model.

The evidence must have the digests that the case froze, the bundle the digest that answered, and the stored result the
commitment that stands in the log. Nothing that was kept of the first time is used.
"""

from __future__ import annotations

from typing import Any

from services.diagnosis import store
from services.diagnosis.assembly import assemble
from services.diagnosis.comparison import difference
from services.diagnosis.domain import Job, StoredResult
from services.diagnosis.errors import EvidenceChanged, EvidenceGone, NotFinished
from services.diagnosis.replay_schemas import EPSILON, TEXTS, ReplayOut, ReplayVerdict
from services.diagnosis.results import Spent, compose
from services.diagnosis.running import Worker
from services.diagnosis.snapshot import Manifest, parse_manifest
from shared.contracts.audit import ConsentQuestion
from shared.contracts.base import Purpose
from shared.contracts.diagnosis import DiagnosisResult
from shared.database import reading
from shared.digests import digest_bytes, digest_json
from shared.errors import NotFound

ASIDE = {"timings", "audit"}
"""What is no part of the answer."""


def replay(worker: Worker, job_id: str) -> ReplayOut:
    """Compute a released diagnosis again and compare.

    Raises: NotFinished; Unavailable: a neighbour does not answer.
    """
    with reading(worker.runtime.sessions) as session:
        job = store.get_job(session, job_id)
        stored = store.released_results(session, [job_id]).get(job_id)
    if stored is None:
        raise NotFinished("This diagnosis has no result that could be replayed.")
    if not _is_as_logged(worker, stored):
        return _said(worker, stored, ReplayVerdict.RECORD_ALTERED)
    if worker.predictor.bundle.digest != stored.bundle_digest:
        return _said(worker, stored, ReplayVerdict.OTHER_MODEL)
    try:
        manifest = parse_manifest(worker.runtime.blobs.get(stored.manifest_digest))
        if not _is_permitted(worker, job, manifest):
            return _said(worker, stored, ReplayVerdict.NOT_PERMITTED)
        again, heatmaps = _again(worker, job, manifest)
    except (NotFound, EvidenceGone):
        return _said(worker, stored, ReplayVerdict.INPUTS_ERASED)
    except EvidenceChanged:
        return _said(worker, stored, ReplayVerdict.INPUTS_CHANGED)
    return _compared(worker, stored, again, heatmaps)


def _is_as_logged(worker: Worker, stored: StoredResult) -> bool:
    committed = stored.event.object.digest if stored.event.object else None
    return committed == worker.runtime.events.pseudonyms.content(digest_json(_answer(stored.body)))


def _answer(body: DiagnosisResult) -> dict[str, Any]:
    return body.model_dump(by_alias=True, mode="json", exclude=ASIDE)


def _is_permitted(worker: Worker, job: Job, manifest: Manifest) -> bool:
    if not manifest.used:
        return True
    question = ConsentQuestion(patient=job.patient, purpose=Purpose.TREAT, modalities=list(manifest.used))
    return manifest.under(worker.runtime.audit.decide(question).decisions) == manifest


def _again(worker: Worker, job: Job, manifest: Manifest) -> tuple[DiagnosisResult, dict[str, str]]:
    case = assemble(manifest.as_of, manifest.evidence, worker.contents.fetch_all(manifest.evidence))
    worker.predictor.forget()
    anything = bool(case.images or case.notes or case.vitals is not None)
    prediction = worker.predictor.predict(case, on_stage=lambda _: None) if anything else None
    images = prediction.explanation.images if prediction else ()
    heatmaps = {image.sop_instance_uid: digest_bytes(image.heatmap_png) for image in images}
    return compose(job.id, job.patient, manifest, worker.predictor.bundle, prediction, Spent(0, 0, 0)), heatmaps


def _compared(worker: Worker, stored: StoredResult, again: DiagnosisResult, heatmaps: dict[str, str]) -> ReplayOut:
    found = difference(_answer(stored.body), _answer(again))
    same_bytes = found.within(0.0) and heatmaps == stored.heatmaps
    verdict = (
        ReplayVerdict.BITWISE if same_bytes
        else ReplayVerdict.WITHIN_EPSILON if found.within(EPSILON)
        else ReplayVerdict.DIFFERS
    )  # fmt: skip
    said = _said(worker, stored, verdict)
    return said.model_copy(update={"greatest_difference": found.greatest, "places": list(found.places)})


def _said(worker: Worker, stored: StoredResult, verdict: ReplayVerdict) -> ReplayOut:
    return ReplayOut(
        diagnosis=stored.job_id,
        verdict=verdict,
        text=TEXTS[verdict],
        case_digest=stored.manifest_digest,
        bundle_digest=stored.bundle_digest,
        replayed_with=worker.predictor.bundle.digest,
    )
