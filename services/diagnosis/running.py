"""How a worker carries one job from claim to release. Every step may be the last one before a crash, and none
is done twice.

claim -> consent again -> fetch -> predict -> keep the result -> log entry durable -> consent again -> release

The release checks, in its own transaction, that the consents are still of the epoch that was last asked about: a
withdrawal raises that epoch in the same database before it is answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.diagnosis import store
from services.diagnosis.assembly import assemble
from services.diagnosis.bundle.identity import BundleIdentity
from services.diagnosis.case import CaseInput
from services.diagnosis.clients import ContentClient
from services.diagnosis.domain import Job, StoredResult, backoff_s
from services.diagnosis.errors import CaseFailed, ConsentMoved, FenceLost
from services.diagnosis.inference.films import FilmAnswers
from services.diagnosis.inference.prediction import Prediction, SimilarCase
from services.diagnosis.pulse import Hold, Pulse
from services.diagnosis.recording import failed_event, question_of, released_event, withheld_event
from services.diagnosis.results import Spent, compose
from services.diagnosis.rows import ErasureRow
from services.diagnosis.search.index import VectorIndex
from services.diagnosis.settings import DiagnosisSettings
from services.diagnosis.snapshot import Manifest, parse_manifest
from shared.blobs import BlobStore
from shared.contracts.audit import ConsentAnswer, Sequenced
from shared.database import reading
from shared.erasure import blobs_of
from shared.errors import Unavailable, origin_of
from shared.ids import uuid7
from shared.web import Runtime

MAX_CONSENT_CHANGES = 5
log = structlog.get_logger(__name__)


class Reader(Protocol):
    """A joint space at work on cases and phrases. What it answers are similarities, never probabilities."""

    def similar_to(self, case: CaseInput, kind: str, k: int) -> tuple[SimilarCase, ...]:
        """The reference cases whose vectors of a kind (`case` or a modality) are nearest to a case's."""

    def search(self, text: str, kind: str, k: int) -> tuple[SimilarCase, ...]:
        """The reference cases whose vectors of a kind are nearest to a phrase."""

    def ask(self, case: CaseInput, text: str) -> FilmAnswers:
        """A phrase against every film of a case."""


class Predictor(Protocol):
    """A loaded bundle."""

    @property
    def bundle(self) -> BundleIdentity:
        """Which one."""

    def reader(self, index: VectorIndex) -> Reader | None:
        """Its joint space, with the reference cases put into `index`; None: the bundle has none."""

    def predict(self, case: CaseInput, *, on_stage: Callable[[str], None]) -> Prediction:
        """What it says of a case; calls `on_stage` with `encode`, `fuse`, `explain` as it gets there."""

    def forget(self) -> None:
        """Drop what it kept of earlier cases to answer sooner: the next answer is computed from its evidence alone."""


class ServingStage(StrEnum):
    """In which stage its bundle stood when a prediction was made."""

    PRODUCTION = "production"
    CANARY = "canary"
    SHADOW = "shadow"


@dataclass(frozen=True)
class Loaded:
    """A bundle that can answer at once."""

    predictor: Predictor
    reader: Reader | None = None
    """What answers questions of similarity; None: this bundle cannot."""


@dataclass(frozen=True)
class Assigned:
    """Who answers for a patient, and in which stage."""

    loaded: Loaded
    stage: ServingStage


class Models(Protocol):
    """The bundles that a worker may answer with."""

    def assign(self, subject: str) -> Assigned:
        """Who answers for the patient of this pseudonym now. Raises: NoActiveBundle."""

    def active(self) -> Loaded:
        """Who answers where no patient decides. Raises: NoActiveBundle."""

    def shadow(self) -> Loaded | None:
        """Who answers beside, for nobody to see."""

    def with_digest(self, digest: str) -> Loaded | None:
        """A certain bundle, if it is at hand."""


@dataclass(frozen=True)
class Worker:
    """Everything that one worker process works with."""

    id: str
    runtime: Runtime
    settings: DiagnosisSettings
    contents: ContentClient
    models: Models
    pulse: Pulse


def run_job(worker: Worker, job_id: str) -> bool:
    """Carry a job as far as it goes; True where its result was released now. Does nothing where the job is finished
    or in other hands.

    Raises: SQLAlchemyError: the database is away; the lease runs out and another attempt follows.
    """
    settings = worker.settings
    with worker.runtime.sessions.begin() as session:
        job = store.claim(
            session,
            job_id,
            worker.id,
            now=worker.runtime.clock(),
            lease_s=settings.lease_s,
            max_attempts=settings.max_attempts,
        )
    if job is None:
        return False
    with worker.pulse.holding(job) as hold:
        try:
            _carry_out(worker, hold)
            return True
        except FenceLost:
            log.warning("another worker has this job now", job=job.id)
        except Unavailable as error:
            _defer(worker, job, error)
        except CaseFailed as error:
            _fail(worker, job, error.detail)
        except SQLAlchemyError:
            raise
        except Exception as error:
            # Nobody knows what the message holds: the kind of error and its place must do.
            log.error("a case could not be computed", job=job.id, error=type(error).__name__, at=origin_of(error))
            _fail(worker, job, f"The case could not be computed: {type(error).__name__} at {origin_of(error)}.")
    return False


def _carry_out(worker: Worker, hold: Hold) -> None:
    for _ in range(MAX_CONSENT_CHANGES):
        # First: what this worker stores after an erasure must not land where the patient's new data will lie.
        blobs = blobs_of(worker.runtime, ErasureRow, hold.job.patient).store
        with reading(worker.runtime.sessions) as session:
            job = store.find_job(session, hold.job.id)
            stored = store.standing_result(session, hold.job.id)
        if job is None or hold.lost.is_set() or job.fence != hold.job.fence:
            raise FenceLost(hold.job.id)
        stored = stored or _compute(worker, job, blobs)
        if stored is None:
            continue
        worker.pulse.stage("record")
        entry = worker.runtime.audit.append([stored.event])[0]
        manifest = parse_manifest(blobs.get(stored.manifest_digest))
        narrower, answer = permitted(worker, job, manifest)
        if narrower != manifest:
            _withhold(worker, job, stored, narrower, blobs)
        elif _release(worker, job, stored, entry, manifest, answer):
            return
    raise Unavailable("This patient's consents keep changing.")


# --- computing ----------------------------------------------------------------------------------------------------


def _compute(worker: Worker, job: Job, blobs: BlobStore) -> StoredResult | None:
    """The result, kept and not yet released; None where a consent was withdrawn while the model worked."""
    manifest = _permitted_manifest(worker, job, blobs)
    assigned = worker.models.assign(manifest.subject)
    bundle = assigned.loaded.predictor.bundle
    worker.pulse.stage("fetch")
    started = time.perf_counter()
    contents = worker.contents.fetch_all(manifest.evidence)
    case = assemble(manifest.as_of, manifest.evidence, contents)
    fetch_ms = (time.perf_counter() - started) * 1000
    prediction = predict(assigned.loaded.predictor, case, worker.pulse.stage)
    still, answer = permitted(worker, job, manifest)
    if still != manifest:
        return None
    heatmaps = _keep_heatmaps(blobs, prediction)
    spent = Spent(_ms(job.claimed_at, job.created_at), fetch_ms, _ms(worker.runtime.clock(), job.created_at))
    body = compose(job.id, job.patient, manifest, bundle, prediction, spent)
    result = StoredResult(
        id=uuid7(),
        job_id=job.id,
        manifest_digest=manifest.digest,
        bundle_digest=bundle.digest,
        stage=assigned.stage.value,
        body=body,
        event=released_event(worker.runtime.events, job, manifest, body, assigned.stage.value),
        consent_epoch=answer.epoch if answer is not None else None,
        heatmaps=heatmaps,
    )
    with worker.runtime.sessions.begin() as session:
        store.add_result(session, job.fence, result, worker.runtime.clock())
    return result


def _permitted_manifest(worker: Worker, job: Job, blobs: BlobStore) -> Manifest:
    """The job's manifest after consent was asked again.

    What was withdrawn since makes another case: it is frozen anew and the job points to it.
    """
    frozen = parse_manifest(blobs.get(job.manifest_digest))
    manifest, _ = permitted(worker, job, frozen)
    if manifest != frozen:
        blobs.put(manifest.to_bytes())
        with worker.runtime.sessions.begin() as session:
            store.add_manifest(session, manifest.digest, worker.runtime.clock())
            store.repoint(session, job.id, job.fence, manifest.digest)
    return manifest


def permitted(worker: Worker, job: Job, manifest: Manifest) -> tuple[Manifest, ConsentAnswer | None]:
    """What of a case consent lets us use now, and the answer that says so; None where the case uses nothing."""
    if not manifest.used:
        return manifest, None
    answer = worker.runtime.audit.decide(question_of(job, manifest))
    return manifest.under(answer.decisions), answer


def predict(predictor: Predictor, case: CaseInput, on_stage: Callable[[str], None]) -> Prediction | None:
    """What the model says of a case; None where consent left nothing to predict from."""
    anything = bool(case.images or case.notes or case.vitals is not None)
    return predictor.predict(case, on_stage=on_stage) if anything else None


def _keep_heatmaps(blobs: BlobStore, prediction: Prediction | None) -> dict[str, str]:
    images = prediction.explanation.images if prediction else ()
    return {image.sop_instance_uid: blobs.put(image.heatmap_png) for image in images}


# --- releasing ----------------------------------------------------------------------------------------------------


def _release(
    worker: Worker, job: Job, stored: StoredResult, entry: Sequenced, manifest: Manifest, answer: ConsentAnswer | None
) -> bool:
    """Show a result; False where consents changed since they were asked, and must be asked again."""
    try:
        with worker.runtime.sessions.begin() as session:
            if answer is not None:
                store.check_fence(session, manifest.subject, answer.epoch)
            store.release(session, job, stored, entry, worker.runtime.clock())
    except ConsentMoved:
        return False
    return True


def _withhold(worker: Worker, job: Job, stored: StoredResult, narrower: Manifest, blobs: BlobStore) -> None:
    """Void a result whose consent was withdrawn after it was computed; the next round computes the narrower case."""
    event = withheld_event(worker.runtime.events, job, stored)
    blobs.put(narrower.to_bytes())
    with worker.runtime.sessions.begin() as session:
        store.withhold(session, job, stored, worker.runtime.clock())
        store.add_manifest(session, narrower.digest, worker.runtime.clock())
        store.repoint(session, job.id, job.fence, narrower.digest)
        worker.runtime.record(session, event)


def _defer(worker: Worker, job: Job, error: Unavailable) -> None:
    if job.deferrals >= worker.settings.max_deferrals:
        _fail(worker, job, f"Tried {job.deferrals} times: {error.detail}")
        return
    until = worker.runtime.clock() + timedelta(seconds=backoff_s(job.deferrals))
    log.warning("what the job needs is not there; it waits", job=job.id, problem=error.slug, deferrals=job.deferrals)
    _unless_lost(
        worker, job, lambda session: store.defer(session, job.id, job.fence, until=until, reason=error.detail[:500])
    )


def _fail(worker: Worker, job: Job, error: str) -> None:
    event = failed_event(worker.runtime, job, error)

    def _end(session: Any) -> None:
        store.fail(session, job.id, job.fence, error, worker.runtime.clock())
        worker.runtime.record(session, event)

    _unless_lost(worker, job, _end)


def _unless_lost(worker: Worker, job: Job, act: Callable[[Any], None]) -> None:
    try:
        with worker.runtime.sessions.begin() as session:
            act(session)
    except FenceLost:
        log.warning("another worker has this job now", job=job.id)


def _ms(later: Any, earlier: Any) -> float:
    return float((later - earlier).total_seconds() * 1000) if later is not None else 0.0
