"""What the web part does: freeze a case, queue it, show it, take feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.diagnosis import store
from services.diagnosis.clients import Neighbours
from services.diagnosis.currency import Outdated
from services.diagnosis.domain import (
    CLOCK_SKEW,
    EARLIEST_AS_OF,
    RELEASED,
    Feedback,
    Job,
    Order,
    StoredResult,
    is_snomed_id,
)
from services.diagnosis.errors import (
    IdempotencyConflict,
    NoEvidence,
    NotFinished,
    UnknownHeatmap,
    UnknownPatient,
)
from services.diagnosis.recording import denied_event
from services.diagnosis.rows import ErasureRow
from services.diagnosis.snapshot import Known, Manifest, case_time, freeze, select
from shared.auth import Principal
from shared.contracts.base import Modality
from shared.contracts.diagnosis import FeedbackIn, JobStatus
from shared.contracts.evidence import EvidenceList
from shared.database import reading
from shared.digests import digest_json
from shared.erasure import PatientBlobs, blobs_of, check_standing
from shared.errors import FieldProblem, InvalidInput
from shared.ids import uuid7
from shared.web import Runtime

# --- asking -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Snapshot:
    """A case that is not asked for yet, and where its patient's blobs lay before it was put together."""

    manifest: Manifest
    blobs: PatientBlobs


async def request_diagnosis(runtime: Runtime, neighbours: Neighbours, order: Order) -> tuple[Job, bool]:
    """The job of an order, and whether it was there before.

    Raises: IdempotencyConflict, InvalidInput, UnknownPatient, NoEvidence; Unavailable: then nothing is stored.
    """
    check_order(order, runtime.clock())
    if order.key is not None:
        known = await run_in_threadpool(find_replay, runtime, order)
        if known is not None:
            return known, True
    snapshot = await snapshot_case(runtime, neighbours, order)
    return await run_in_threadpool(submit, runtime, order, snapshot)


def check_order(order: Order, now: datetime) -> None:
    """Raises: InvalidInput: a patient identifier or a time that no evidence can have."""
    if not order.patient.isprintable() or not order.patient.strip():
        field = FieldProblem(
            "patient", "holds control characters, or nothing", "send the same one as with the evidence"
        )
        raise InvalidInput("The patient identifier is malformed.", fields=[field])
    if order.as_of is None:
        return
    if order.as_of > now + CLOCK_SKEW:
        raise _bad_as_of("lies in the future")
    if order.as_of < EARLIEST_AS_OF:
        raise _bad_as_of("lies before 1990")


def _bad_as_of(problem: str) -> InvalidInput:
    field = FieldProblem("asOf", problem, "send the time of the case, or leave it out for the newest evidence")
    return InvalidInput(f"asOf {problem}.", fields=[field])


async def snapshot_case(runtime: Runtime, neighbours: Neighbours, order: Order) -> Snapshot:
    """Freeze what is known of the patient as of the order's time, and what consent lets us use of it."""
    blobs = await run_in_threadpool(blobs_of, runtime, ErasureRow, order.patient)
    lists = await neighbours.all_evidence(order.patient, order.as_of)
    if not any(answer.known for answer in lists.values()):
        fix = "send an image, a note or vital signs first, under the same identifier"
        field = FieldProblem("patient", "no evidence of this patient has ever arrived", fix)
        raise UnknownPatient("No image, note or vital sign of this patient has ever arrived.", fields=[field])
    as_of = order.as_of or case_time({kind: tuple(a.items) for kind, a in lists.items()}, runtime.clock())
    if as_of is None:
        raise _no_evidence(order)
    known = await evidence_at(neighbours, order.patient, lists, as_of)
    if not any(select(kind, known[kind], as_of) for kind in order.modalities):
        raise _no_evidence(order)
    consent = await neighbours.decide(order.patient, order.modalities, order.purpose, order.requester)
    manifest = freeze(blobs.subject_ref, as_of, order.modalities, known, consent.decisions, order.purpose)
    return Snapshot(manifest, blobs)


async def evidence_at(
    neighbours: Neighbours, patient: str, lists: dict[Modality, EvidenceList], as_of: datetime
) -> Known:
    """The evidence of a case. A vitals window depends on when it ends, so it is asked for anew where that is
    not the case time.
    """
    known = {kind: tuple(answer.items) for kind, answer in lists.items()}
    if any(ref.effective_at != as_of for ref in known[Modality.VITALS]):
        known[Modality.VITALS] = tuple((await neighbours.evidence(Modality.VITALS, patient, as_of)).items)
    return known


def _no_evidence(order: Order) -> NoEvidence:
    when = "at or before asOf" if order.as_of is not None else "of this patient"
    field = FieldProblem(
        "asOf" if order.as_of is not None else "modalities",
        "there is no evidence",
        "choose a later time or more modalities, or send evidence first",
    )
    return NoEvidence(f"There is no evidence {when} in the modalities asked for.", fields=[field])


def find_replay(runtime: Runtime, order: Order) -> Job | None:
    """The job that the same requester asked for under the same key. Raises: IdempotencyConflict: with another body."""
    if order.key is None:
        return None
    with reading(runtime.sessions) as session:
        job = store.find_by_key(session, order.requester, order.key)
    if job is not None and job.request_digest != order.digest:
        raise IdempotencyConflict(
            "This Idempotency-Key came before with another body; take a new key for a new request.",
            fields=[FieldProblem("Idempotency-Key", "used with another body", "send a new key")],
        )
    return job


def submit(runtime: Runtime, order: Order, snapshot: Snapshot) -> tuple[Job, bool]:
    """Queue a job for a frozen case; of two requests with one key at the same time, one job.

    Raises: ErasedMeanwhile: the patient was erased since the case was put together.
    """
    manifest, now = snapshot.manifest, runtime.clock()
    digest = snapshot.blobs.store.put(manifest.to_bytes())
    try:
        with runtime.sessions.begin() as session:
            check_standing(session, ErasureRow, snapshot.blobs)
            store.add_manifest(session, digest, now)
            job = store.add_job(session, uuid7(), order, digest, manifest, now)
            if manifest.withheld:
                runtime.record(session, denied_event(runtime.events, job, manifest))
            return job, False
    except IntegrityError:
        known = find_replay(runtime, order)
        if known is None:
            raise
        return known, True


# --- reading ------------------------------------------------------------------------------------------------------

Shown = tuple[Job, StoredResult | None, Outdated | None]
"""A job, its released result, and whether its evidence has changed since."""


def read_diagnosis(runtime: Runtime, session: Session, principal: Principal, request_id: str, job_id: str) -> Shown:
    """One job and its released result. Reading a result is an event, durable before the answer leaves."""
    job = store.get_job(session, job_id)
    stored = store.released_results(session, [job_id]).get(job_id)
    if stored is not None:
        record_read(runtime, session, principal, request_id, job, "diagnosis-read")
    return job, stored, store.outdated(session, [job_id]).get(job_id)


def list_diagnoses(
    session: Session,
    *,
    limit: int,
    patient: str | None = None,
    ids: Sequence[str] | None = None,
    statuses: Sequence[JobStatus] = (),
    before: str | None = None,
) -> list[Shown]:
    """Jobs and their released results, newest first. Whoever shows them calls `record_list` first."""
    jobs = store.list_jobs(session, patient=patient, ids=ids, statuses=statuses, before=before, limit=limit)
    shown = [job.id for job in jobs]
    results, outdated = store.released_results(session, shown), store.outdated(session, shown)
    return [(job, results.get(job.id), outdated.get(job.id)) for job in jobs]


def record_list(
    runtime: Runtime, session: Session, principal: Principal, request_id: str, shown: Sequence[Shown]
) -> None:
    """A read event for each patient on a list names what is shown of them."""
    jobs = sorted((job for job, _, _ in shown), key=_patient_of)
    for one, theirs in groupby(jobs, key=_patient_of):
        event = runtime.events.event(
            principal,
            "read",
            "diagnoses-listed",
            "R",
            patient=one,
            kind="diagnosis",
            purpose="TREAT",
            request_id=request_id,
            details={"ids": [job.id for job in theirs]},
        )
        runtime.record(session, event)


def _patient_of(job: Job) -> str:
    return job.patient


def read_manifest(runtime: Runtime, session: Session, principal: Principal, request_id: str, job_id: str) -> bytes:
    """The canonical JSON of the case; its digest is the case's."""
    job = store.get_job(session, job_id)
    content = blobs_of(runtime, ErasureRow, job.patient).store.get(job.manifest_digest)
    record_read(runtime, session, principal, request_id, job, "manifest-read")
    return content


def read_heatmap(
    runtime: Runtime, session: Session, principal: Principal, request_id: str, job_id: str, sop_instance_uid: str
) -> bytes:
    """A PNG to lay over one image. Raises: UnknownHeatmap."""
    job = store.get_job(session, job_id)
    stored = store.released_results(session, [job_id]).get(job_id)
    digest = stored.heatmaps.get(sop_instance_uid) if stored is not None else None
    if digest is None:
        raise UnknownHeatmap("This diagnosis has no heat map of that instance.")
    content = blobs_of(runtime, ErasureRow, job.patient).store.get(digest)
    record_read(runtime, session, principal, request_id, job, "heatmap-read")
    return content


def progress(runtime: Runtime, job_id: str) -> tuple[JobStatus, str | None]:
    """Where a job stands. Raises: UnknownDiagnosis."""
    with reading(runtime.sessions) as session:
        job = store.get_job(session, job_id)
    return job.status, job.stage


def record_read(
    runtime: Runtime, session: Session, principal: Principal, request_id: str, job: Job, subtype: str
) -> None:
    event = runtime.events.event(
        principal,
        "read",
        subtype,
        "R",
        patient=job.patient,
        kind="diagnosis",
        object_id=job.id,
        purpose="TREAT",
        request_id=request_id,
    )
    runtime.record(session, event)


# --- feedback -----------------------------------------------------------------------------------------------------


def give_feedback(
    runtime: Runtime, session: Session, principal: Principal, request_id: str, job_id: str, body: FeedbackIn
) -> Feedback:
    """Keep what a clinician made of a result. Raises: InvalidInput, UnknownDiagnosis, NotFinished."""
    check_feedback(body)
    store.lock_job(session, job_id)
    job = store.get_job(session, job_id)
    if job.status not in RELEASED:
        raise NotFinished(f"This diagnosis is {job.status}; feedback needs a result.")
    feedback = Feedback(uuid7(), job_id, body.action, body.code, body.text, principal.subject, runtime.clock())
    store.add_feedback(session, feedback)
    event = runtime.events.event(
        principal,
        "feedback",
        f"diagnosis-{_DONE[body.action]}",
        "C",
        patient=job.patient,
        kind="diagnosis",
        object_id=job.id,
        digest=digest_json(body.model_dump(by_alias=True, mode="json")),
        purpose="TREAT",
        request_id=request_id,
        details={"feedback": feedback.id},
    )
    runtime.record(session, event)
    return feedback


_DONE = {"accept": "accepted", "override": "overridden", "comment": "commented"}


def check_feedback(body: FeedbackIn) -> None:
    """Raises: InvalidInput: an override without a code, a code that is none, a comment without words."""
    if body.action == "override" and body.code is None:
        raise _bad_feedback("code", "is missing", "send the SNOMED CT code of your own diagnosis")
    if body.code is not None and not is_snomed_id(body.code):
        raise _bad_feedback("code", "is no SNOMED CT identifier", "send a SNOMED CT id such as 233604007")
    if body.action == "comment" and not (body.text or "").strip():
        raise _bad_feedback("text", "is missing", "send the comment")


def _bad_feedback(field: str, problem: str, fix: str) -> InvalidInput:
    return InvalidInput(f"{field} {problem}.", fields=[FieldProblem(field, problem, fix)])
