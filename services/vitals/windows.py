"""Freezes what is known of a patient at a time as one window, and gives it out again."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy.orm import Session

from services.vitals import content, store
from services.vitals.domain import WINDOW, Point, Window, quality_of
from services.vitals.errors import NoSuchWindow, WindowDamaged
from services.vitals.plausibility import evidence_of
from services.vitals.signs import EVIDENCE_CODES
from services.vitals.sources import SourceRules
from services.vitals.usecases import Asker
from shared.database import reading
from shared.digests import digest_bytes
from shared.erasure import blobs_of, check_standing
from shared.ids import uuid7
from shared.intake import patient_problem
from shared.web import Runtime

_ID = re.compile(r"[0-9a-f-]{36}")


def freeze(runtime: Runtime, rules: SourceRules, patient: str, as_of: datetime | None) -> tuple[bool, Window | None]:
    """Whether any sample of the patient is known, and the 72 hours up to `as_of`, or up to the newest sample.

    What is marked as no evidence is left out and counted. The same samples give the same window, whatever `as_of`
    was. No transaction is open while the content is put together; a window that is being frozen twice at once is
    stored once.

    Raises: ErasedMeanwhile.
    """
    tenant = runtime.common.tenant
    if patient_problem(patient):
        return False, None
    blobs = blobs_of(runtime, store.ErasureRow, patient)
    with reading(runtime.sessions) as session:
        # Before the samples: what is committed between the two is told as a change once too often, never too rarely.
        newest = store.newest_time(session, tenant, patient, as_of)
        if newest is None:
            return store.newest_time(session, tenant, patient) is not None, None
        end = as_of or newest
        known_samples = store.points_between(session, tenant, patient, end - WINDOW, end, codes=EVIDENCE_CODES)
        points, flagged = evidence_of(known_samples, rules)
        if not points:
            return True, None
        frozen = content.to_bytes(patient, points)
        digest = digest_bytes(frozen)
        if known := store.find_window_by_digest(session, tenant, patient, digest):
            return True, known
        start, last = points[0].effective, points[-1].effective
        received_at = store.last_received(session, tenant, patient, start, last)
    # The bytes are durable before the row that names them is.
    blob = blobs.store.put(content.compress(frozen))
    window = Window(uuid7(), digest, blob, patient, start, last, received_at, quality_of(points, flagged))
    with runtime.sessions.begin() as session:
        check_standing(session, store.ErasureRow, blobs)
        store.add_window(session, tenant, window)
        return True, store.find_window_by_digest(session, tenant, patient, digest)


def read(session: Session, runtime: Runtime, asker: Asker, window_id: str) -> tuple[Window, list[Point]]:
    """A frozen window with its samples.

    Raises: NoSuchWindow. WindowDamaged: the blob store gave other bytes.
    """
    # PostgreSQL refuses some texts outright (NUL); none of them is an id.
    known = store.find_window(session, runtime.common.tenant, window_id) if _ID.fullmatch(window_id) else None
    if known is None:
        raise NoSuchWindow
    frozen = content.decompress(blobs_of(runtime, store.ErasureRow, known.patient).store.get(known.blob))
    if digest_bytes(frozen) != known.digest:
        raise WindowDamaged
    event = runtime.events.event(
        asker.principal,
        "read",
        "vitals-window-read",
        "R",
        patient=known.patient,
        kind="vitals",
        object_id=known.id,
        digest=known.digest,
        request_id=asker.request_id,
        details={"samples": known.quality["samples"]},
    )
    runtime.record(session, event)
    return known, content.from_bytes(frozen)
