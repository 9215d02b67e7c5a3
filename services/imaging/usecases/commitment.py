"""Storage commitment (PS3.4 annex J): take a request, look whether everything is really there, keep the report due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from services.imaging import commitment_queue, store
from services.imaging.dicom.syntaxes import SOP_CLASSES
from services.imaging.domain import Commitment, Reference, Verdict
from services.imaging.store import InstanceRow
from services.imaging.usecases.reads import blobs_of
from shared.auth import Principal
from shared.database import reading
from shared.digests import digest_bytes
from shared.errors import NotFound
from shared.web import Runtime

PROCESSING_FAILURE, NO_SUCH_INSTANCE, CLASS_INSTANCE_CONFLICT, CLASS_NOT_SUPPORTED = 0x0110, 0x0112, 0x0119, 0x0122

LEASE = timedelta(minutes=5)
"""How long one process may be at a report before another one takes it up."""
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=30), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=7)


def request(session: Session, runtime: Runtime, commitment: Commitment) -> Commitment | None:
    """Queue a request, leased to the caller, who reports at once; None where its transaction UID is taken."""
    return commitment_queue.add(session, runtime.common.tenant, commitment, runtime.clock() + LEASE)


def next_due(runtime: Runtime) -> Commitment | None:
    """A request whose report is due, leased to the caller."""
    with runtime.sessions.begin() as session:
        return commitment_queue.claim_next(session, runtime.common.tenant, runtime.clock(), LEASE)


def check(runtime: Runtime, references: Sequence[Reference]) -> Verdict:
    """Look for the row and read the bytes of every instance: what is committed could be given out now.

    Raises: Unavailable: the store is not answering, which says nothing of what it holds.
    """
    committed, failed = [], []
    for reference in references:
        reason = _failure(runtime, reference)
        if reason is None:
            committed.append(reference)
        else:
            failed.append((reference, reason))
    return Verdict(tuple(committed), tuple(failed))


def _failure(runtime: Runtime, reference: Reference) -> int | None:
    """The Failure Reason of PS3.3 C.14.1.1, or None."""
    with reading(runtime.sessions) as session:
        rows = store.find_by_sop_instance(session, runtime.common.tenant, reference.sop_instance_uid)
    if not rows:
        return NO_SUCH_INSTANCE if reference.sop_class_uid in SOP_CLASSES else CLASS_NOT_SUPPORTED
    meant = [row for row in rows if row.sop_class_uid == reference.sop_class_uid]
    if not meant:
        return CLASS_INSTANCE_CONFLICT
    # The request does not say which series it means: the sender may delete its copies of all.
    return None if all(_intact(runtime, row) for row in meant) else PROCESSING_FAILURE


def _intact(runtime: Runtime, row: InstanceRow) -> bool:
    try:
        return digest_bytes(blobs_of(runtime, row).get(row.digest)) == row.digest
    except NotFound:
        return False


def record_reported(
    session: Session, runtime: Runtime, commitment: Commitment, verdict: Verdict, principal: Principal
) -> None:
    """The report was received: with its audit event, which holds numbers and no UIDs of instances."""
    commitment_queue.mark_reported(session, commitment.id, runtime.clock())
    event = runtime.events.event(
        principal,
        "ingest",
        "dicom-commitment-reported",
        "R",
        outcome="failure" if verdict.failed else "success",
        reason="not-all-committed" if verdict.failed else None,
        kind="image",
        object_id=commitment.id,
        details={"door": "storage-commitment", "committed": len(verdict.committed), "failed": len(verdict.failed)},
    )
    runtime.record(session, event)


def postpone(session: Session, runtime: Runtime, commitment: Commitment) -> bool:
    """Nobody took the report: try again later, ever more slowly; False when it is given up."""
    now = runtime.clock()
    if now - commitment.requested_at > GIVE_UP_AFTER:
        commitment_queue.give_up(session, commitment.id)
        return False
    commitment_queue.postpone(
        session, runtime.common.tenant, commitment, _later(now, commitment.attempts), now + FIRST_RETRY
    )
    return True


def _later(now: datetime, attempts: int) -> datetime:
    return now + min(FIRST_RETRY * (1 << min(attempts, 10)), LONGEST_RETRY)
