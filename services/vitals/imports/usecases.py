"""What an import does: take a file, tell how far it is, work on it batch by batch."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy.orm import Session

from services.vitals import usecases
from services.vitals.checks import LineRefused
from services.vitals.domain import Batch, Outcome, Rejection, Sample
from services.vitals.errors import NoSuchImport
from services.vitals.imports import formats, store
from services.vitals.imports.domain import Claim, Counts, Import, Reject, State, Upload
from services.vitals.imports.formats import Beside
from services.vitals.imports.items import Candidate, Checked, Ignored, Item, Refused
from services.vitals.imports.pieces import open_pieces
from services.vitals.lines import check_sample
from services.vitals.settings import Settings
from services.vitals.store import ErasureRow
from services.vitals.usecases import Asker
from shared.clock import Clock, utc_now
from shared.contracts.base import Modality
from shared.database import reading
from shared.erasure import FIRST, enter, erased_since
from shared.errors import FieldProblem
from shared.ids import uuid7
from shared.storing import DENIED, StoringDenied
from shared.web import Runtime

MAX_ATTEMPTS = 5
"""Claims without progress after which an import is failed: a file may kill its workers, but not for ever."""
GIVEN_UP = "The service stopped several times over this file. Send it again to go on where it stopped."
_ID = re.compile(r"[0-9a-f-]{36}")
_NO_PATIENT = FieldProblem("patient", "is missing", "name the patient in the record, or with the whole import")
_OTHER_PATIENT = FieldProblem(
    "patient", "is not the one that the import names", "import each patient's records by themselves, or name none"
)


def register(session: Session, runtime: Runtime, asker: Asker, upload: Upload) -> tuple[Import, bool]:
    """The import of a file, and whether it is a new one. A failed one is queued again."""
    tenant = runtime.common.tenant
    job = Import(uuid7(), upload, asker, State.QUEUED, runtime.clock(), None, 0, Counts(), "", formats.VERSION)
    if store.add_import(session, tenant, job):
        return job, True
    known = store.find_import_of(session, tenant, upload)
    if known is not None and known.state is State.FAILED:
        # That of a file which names no patient was removed when it failed.
        gone = not known.upload.patient and bool(known.upload.owner)
        store.queue_again(session, known.id, upload if gone else known.upload)
        known = store.find_import(session, tenant, known.id)
    if known is None:
        raise NoSuchImport
    return known, False


def find(session: Session, runtime: Runtime, job_id: str) -> Import:
    """The import with this id. Raises: NoSuchImport."""
    # PostgreSQL refuses some texts outright (NUL); none of them is an id.
    known = store.find_import(session, runtime.common.tenant, job_id) if _ID.fullmatch(job_id) else None
    if known is None:
        raise NoSuchImport
    return known


@dataclass(frozen=True)
class Work:
    """What working on imports needs beside the runtime."""

    runtime: Runtime
    settings: Settings
    stopping: Callable[[], bool]
    """Whether the service is about to stop: what is done is kept, the rest waits for the next start."""
    clock: Clock = utc_now
    """Of leases."""

    def lease(self) -> datetime:
        """When a lease that begins now ends."""
        return self.clock() + timedelta(seconds=self.settings.import_lease_s)


def claim_next(work: Work) -> Claim | None:
    """An import to work on, if one waits."""
    # Nearly always there is none: looking takes no lock that a writer would wait for.
    with reading(work.runtime.sessions) as session:
        waiting = store.next_waiting(session, work.runtime.common.tenant, work.clock())
    if waiting is None:
        return None
    with work.runtime.sessions.begin() as session:
        held = store.claim(session, waiting.id, waiting.fence, work.lease())
        if held is None or waiting.attempts < MAX_ATTEMPTS:
            return held
        store.finish(session, held, State.FAILED, GIVEN_UP, work.runtime.clock())
    if not held.job.upload.patient:
        drop_file(work.runtime, held.job.upload)
    return None


def run(work: Work, held: Claim) -> None:
    """Work on an import until it is over or the service stops. Raises: LeaseLost."""
    if held.job.readers != formats.VERSION:
        with work.runtime.sessions.begin() as session:
            held = store.begin_anew(session, held, formats.VERSION)
    upload, counts = held.job.upload, held.job.counts
    with open_pieces(work.runtime.blobs, upload.owner, upload.pieces) as source:
        beside = Beside(upload.patient, upload.zone, held.job.received_at)
        items = formats.read(source, upload.form, beside, work.settings.max_unpacked_bytes)
        if not _pass_over(work, held, items):
            return
        while chunk := list(islice(items, work.settings.import_batch)):
            counts = _store_chunk(work, held, chunk, counts, min(source.tell(), upload.size))
            work.runtime.wake_relay()
            if work.stopping():
                give_back(work, held)
                return
    with work.runtime.sessions.begin() as session:
        store.finish(session, held, State.SUCCEEDED, "", work.runtime.clock())
    if not upload.patient:
        drop_file(work.runtime, upload)


def drop_file(runtime: Runtime, upload: Upload) -> None:
    """Remove a file that nobody needs any more. One that names no patient is kept no longer than it is worked on: it
    may be of many, and the erasure of one could not take that one out."""
    if upload.owner:
        runtime.blobs.erase(upload.owner, FIRST)


def give_back(work: Work, held: Claim, until: datetime | None = None) -> None:
    """Let go of an unfinished import, for whoever comes first after `until`."""
    _set_lease(work, held, until)


def _set_lease(work: Work, held: Claim, until: datetime | None) -> None:
    with work.runtime.sessions.begin() as session:
        store.hold(session, held, until)


def _pass_over(work: Work, held: Claim, items: Iterator[Item]) -> bool:
    """Pass over what is stored; says whether there was time for it.

    A reader gives the same items each time, so that their number is a place to go on from.
    """
    left, renew_at = held.job.counts.read, work.clock()
    while left > 0:
        passed = sum(1 for _ in islice(items, min(left, work.settings.import_batch)))
        if not passed:
            raise RuntimeError("a reader gave fewer records than before: raise formats.VERSION")
        left -= passed
        if left and work.stopping():
            give_back(work, held)
            return False
        if work.clock() >= renew_at:
            _set_lease(work, held, work.lease())
            renew_at = work.clock() + timedelta(seconds=work.settings.import_lease_s / 3)
    return True


def _store_chunk(work: Work, held: Claim, chunk: list[Item], counts: Counts, bytes_done: int) -> Counts:
    """Store what is new of some records and move the checkpoint past them, in one transaction. Gives all counts.

    Patients who were erased since the file came are left out; their records count as ignored.
    """
    runtime, job = work.runtime, held.job
    samples, rejects = _checked(runtime, job, chunk, counts.read)
    rejected = [Rejection(reject.number, reject.problem) for reject in rejects]
    batch = Batch(uuid7(), job.upload.digest, runtime.clock(), len(chunk), samples, rejected)
    with runtime.sessions.begin() as session:
        # An erasure takes the patients and then their imports: in the same order nobody waits for one another.
        subjects = {runtime.events.pseudonyms.patient(runtime.common.tenant, patient): patient for patient in samples}
        enter(session, subjects)
        # Then the import, so that no other worker gets as far as the samples.
        store.hold(session, held, work.lease())
        gone = erased_since(session, ErasureRow, job.received_at) & set(subjects)
        erased = sum(len(samples.pop(subjects[subject])) for subject in gone)
        outcome = Outcome(0, 0, rejected)
        if samples or rejected:
            outcome = usecases.store_batch(session, runtime, job.sender, batch)
        listed = rejects[: max(work.settings.max_rejects_kept - counts.rejected, 0)]
        store.add_rejects(session, job.id, listed)
        ignored = erased + sum(isinstance(item, Ignored) for item in chunk)
        new = Counts(len(chunk), outcome.accepted, outcome.duplicates, len(rejects), ignored)
        store.advance(session, held, counts.plus(new), bytes_done)
    return counts.plus(new)


def _checked(
    runtime: Runtime, job: Import, chunk: list[Item], before: int
) -> tuple[dict[str, list[Sample]], list[Reject]]:
    samples, rejects = defaultdict[str, list[Sample]](list), list[Reject]()
    for number, item in enumerate(chunk, before + 1):
        if isinstance(item, Refused):
            rejects.append(Reject(number, item.place, item.problem))
        elif isinstance(item, Checked):
            if job.upload.patient in ("", item.sample.patient):
                samples[item.sample.patient].append(item.sample)
            else:
                rejects.append(Reject(number, item.place, _OTHER_PATIENT))
        elif isinstance(item, Candidate):
            try:
                # As of the time when the file came: a second look at a record gives the same answer.
                sample = check_sample(_addressed(item.document, job.upload.patient), job.received_at)
                _check_consent(runtime, job, sample.patient)
            except LineRefused as refused:
                rejects.append(Reject(number, item.place, refused.problem))
            else:
                samples[sample.patient].append(sample)
    return samples, rejects


def _check_consent(runtime: Runtime, job: Import, patient: str) -> None:
    """Raises: LineRefused. Unavailable: nobody knows; the import is tried again later."""
    try:
        runtime.storing.check(job.sender.principal, [patient], Modality.VITALS)
    except StoringDenied as denied:
        raise LineRefused(DENIED.field, DENIED.problem, DENIED.fix) from denied


def _addressed(document: Mapping[str, Any], patient: str) -> Mapping[str, Any]:
    """A candidate with its patient, and without `sent`: when a file was written says nothing of when it came.

    Raises: LineRefused: it has no patient, or another one than the request names.
    """
    problem = None
    document = {name: value for name, value in document.items() if name != "sent"}
    if "patient" not in document:
        problem, document = (None if patient else _NO_PATIENT), {**document, "patient": patient}
    elif patient and document["patient"] != patient:
        problem = _OTHER_PATIENT
    if problem is not None:
        raise LineRefused(problem.field, problem.problem, problem.fix)
    return document


def rejects_of(session: Session, job: Import, after: int, limit: int) -> list[Reject]:
    """Rejected records of an import behind a number."""
    return store.rejects_after(session, job.id, after, limit)
