"""A bundle in the shadow: what it says of a finished case is kept and compared, and shown to nobody.

It starts after the result was released, from a queue that a worker looks at last. A case that gets lost on the way is
one case less to compare.
"""

from __future__ import annotations

import structlog

from services.diagnosis import store
from services.diagnosis.assembly import assemble
from services.diagnosis.domain import ShadowResult
from services.diagnosis.errors import CaseFailed, ConsentMoved
from services.diagnosis.recording import shadowed_event
from services.diagnosis.results import Spent, compose
from services.diagnosis.rows import ErasureRow
from services.diagnosis.running import Worker, permitted, predict
from services.diagnosis.snapshot import parse_manifest
from shared.database import reading
from shared.erasure import blobs_of
from shared.errors import NotFound
from shared.ids import uuid7

log = structlog.get_logger(__name__)


def run_shadow(worker: Worker, job_id: str) -> None:
    """Have the bundle in the shadow answer a released case; does nothing where it has, or where consent has changed.

    Raises: Unavailable: a neighbour does not answer.
    """
    model = worker.models.shadow()
    with reading(worker.runtime.sessions) as session:
        job = store.get_job(session, job_id)
        stored = store.released_results(session, [job_id]).get(job_id)
    if model is None or stored is None or stored.bundle_digest == model.predictor.bundle.digest:
        return
    manifest = parse_manifest(blobs_of(worker.runtime, ErasureRow, job.patient).store.get(stored.manifest_digest))
    narrower, answer = permitted(worker, job, manifest)
    if narrower != manifest or answer is None:
        return
    try:
        case = assemble(manifest.as_of, manifest.evidence, worker.contents.fetch_all(manifest.evidence))
    except (CaseFailed, NotFound):
        log.info("a case is no longer what it was; the shadow leaves it out", job=job_id)
        return
    prediction = predict(model.predictor, case, lambda _: None)
    body = compose(job.id, job.patient, manifest, model.predictor.bundle, prediction, Spent(0, 0, 0))
    kept = ShadowResult(uuid7(), job_id, manifest.digest, model.predictor.bundle.digest, body)
    event = shadowed_event(worker.runtime.events, job, manifest, stored.body, body)
    try:
        with worker.runtime.sessions.begin() as session:
            store.check_fence(session, manifest.subject, answer.epoch)
            if store.add_shadow(session, kept, worker.runtime.clock()):
                worker.runtime.record(session, event)
    except ConsentMoved:
        log.info("consents changed while the shadow worked; nothing is kept", job=job_id)
