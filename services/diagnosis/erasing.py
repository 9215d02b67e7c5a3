"""What the diagnosis service keeps of one patient, and how it goes.

A job's row stays without its patient: that it was asked for, by whom, when, and which model answered. A job that still
runs is ended, and its fence moved: whatever its worker does afterwards is void (ADR 0040).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from services.diagnosis import store
from services.diagnosis.domain import FINAL
from services.diagnosis.rows import (
    ErasureRow,
    FeedbackRow,
    JobRow,
    ManifestRow,
    OutdatedRow,
    QuestionRow,
    ResultRow,
    ShadowResultRow,
)
from shared.blobs import BlobStore
from shared.contracts.diagnosis import JobStatus
from shared.database import change_rows, erase_rows, reading
from shared.erasure import KEPT_EVERYWHERE, Eraser, Found, Subject
from shared.errors import NotFound, Unavailable
from shared.web import Runtime

KEPT = {
    **KEPT_EVERYWHERE,
    "manifest": "digests of cases over pseudonyms, as the log has them; the cases are blobs, and go",
    "consent_fence": "a pseudonym and a number",
    "worker": "no patient",
    "followed": "a number",
    "replay_night": "a date",
}
"""Tables that an erasure leaves alone, and why."""
ENDED = "The patient was erased while this was asked for."
HEARD_OF = timedelta(seconds=60)
"""A worker that was silent for longer is gone; if it wakes up, its first heartbeat makes it forget."""
PATIENCE_S, LOOK_S = 8.0, 0.1


def patients(session: Session, tenant: str) -> Iterable[str]:
    """Every identifier of a patient for whom a diagnosis was asked. A suite has one tenant: jobs do not name it."""
    return session.scalars(sa.select(JobRow.patient).where(JobRow.erased_at.is_(None)).distinct()).all()


def erase(session: Session, runtime: Runtime, subject: Subject) -> Found:
    """Cases, results, shadows, heat maps, feedback, marks and questions; of the jobs, everything but the skeleton."""
    of_patient = sa.or_(JobRow.patient.in_(subject.patients), JobRow.subject_ref == subject.subject_ref)
    mine = sa.and_(of_patient, JobRow.erased_at.is_(None))
    ids = list(session.scalars(sa.select(JobRow.id).where(mine)))
    digests = _digests(session, runtime.blobs, mine, subject.subject_ref)
    of_jobs = sa.select(JobRow.id).where(mine)
    emptied = sa.update(ResultRow).where(ResultRow.job_id.in_(of_jobs)).values(body="", event="", heatmaps={})
    stores = {
        "feedback": erase_rows(session, FeedbackRow, FeedbackRow.job_id.in_(of_jobs)),
        "outdated": erase_rows(session, OutdatedRow, OutdatedRow.job_id.in_(of_jobs)),
        "question": erase_rows(session, QuestionRow, QuestionRow.job_id.in_(of_jobs)),
        "result": change_rows(session, emptied),
        "shadow_result": erase_rows(session, ShadowResultRow, ShadowResultRow.job_id.in_(of_jobs)),
        "job": len(ids),
    }
    _end(session, mine, runtime.clock())
    bare = sa.update(JobRow).where(mine).values(
        patient=subject.subject_ref, subject_ref=subject.subject_ref, as_of=JobRow.created_at, idempotency_key=None,
        request_digest="", erased_at=runtime.clock(),
    )  # fmt: skip
    change_rows(session, bare)
    return Found(stores, digests)


def _end(session: Session, mine: sa.ColumnElement[bool], now: datetime) -> None:
    unfinished = sa.update(JobRow).where(mine, JobRow.status.not_in(FINAL))
    ended = {"status": JobStatus.FAILED, "stage": None, "error": ENDED, "finished_at": now, "lease_until": None}
    change_rows(session, unfinished.values({**ended, "fence": JobRow.fence + 1}))


def _digests(session: Session, blobs: BlobStore, mine: sa.ColumnElement[bool], subject_ref: str) -> frozenset[str]:
    """Blobs from before each patient had a scope: cases and heat maps that no other patient's results name."""
    results = sa.select(ResultRow.manifest_digest, ResultRow.heatmaps).join(JobRow, JobRow.id == ResultRow.job_id)
    named = set(session.scalars(sa.select(JobRow.manifest_digest).where(mine)))
    for manifest, heatmaps in session.execute(results.where(mine)):
        named |= {manifest, *heatmaps.values()}
    for _, heatmaps in session.execute(results.where(JobRow.id.not_in(sa.select(JobRow.id).where(mine)))):
        named -= set(heatmaps.values())
    return frozenset(named | set(_left_behind(session, blobs, subject_ref)))


def _left_behind(session: Session, blobs: BlobStore, subject_ref: str) -> Iterable[str]:
    """Cases that no job points to any more, because a consent was withdrawn while it ran: the case itself says whose
    it is. Without those in scopes, which go as a whole."""
    pointed_at = sa.union(sa.select(JobRow.manifest_digest), sa.select(ResultRow.manifest_digest))
    for digest in session.scalars(sa.select(ManifestRow.digest).where(ManifestRow.digest.not_in(pointed_at))):
        try:
            if json.loads(blobs.get(digest))["subject"] == subject_ref:
                yield digest
        except NotFound:
            continue


def settle(runtime: Runtime) -> None:
    """Wait until no worker holds encodings from before. Raises: Unavailable: one still does."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with reading(runtime.sessions) as session:
            if not store.remembering(session, runtime.clock() - HEARD_OF):
                return
        if time.monotonic() > deadline:
            raise Unavailable("A worker is still at a case and has not forgotten what it kept in memory.")
        time.sleep(LOOK_S)


ERASER = Eraser("diagnosis", ErasureRow, patients, erase, settle)
