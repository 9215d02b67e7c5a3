"""Looks whether finished diagnoses still rest on what is known of their time.

The log is the signal: every ingest that touched what was true earlier stands in it as an entry of a pseudonym with
`late`. Of that patient's diagnoses the evidence is then asked for again, as of their own times, and compared with what
they froze. A diagnosis is compared once more when it is finished, for what came while it was being made.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import datetime

import structlog

from services.diagnosis import store
from services.diagnosis.clients import Neighbours
from services.diagnosis.currency import as_json, changes
from services.diagnosis.domain import Job
from services.diagnosis.rows import ErasureRow
from services.diagnosis.settings import DiagnosisSettings
from services.diagnosis.snapshot import parse_manifest
from services.diagnosis.usecases import evidence_at
from shared.contracts.audit import Ingest
from shared.database import reading
from shared.erasure import blobs_of
from shared.errors import NotFound
from shared.intake import PROMPT
from shared.web import Runtime

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 20
"""Finished jobs that one look compares; the rest wait for the next."""
MOST_OF_A_PATIENT = 50
"""Of so many newest diagnoses of a patient is told that their evidence changed."""


class Watch:
    """A thread of the web process. Several may run: each mark is written, and told to the log, by one of them."""

    def __init__(self, runtime: Runtime, settings: DiagnosisSettings) -> None:
        self._runtime, self._settings = runtime, settings
        self._stop = threading.Event()
        self._behind = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the look in hand."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            neighbours = Neighbours(self._runtime.common)
            while not self._stop.wait(self._settings.watch_s):
                runner.run(self._look_safely(neighbours))
            runner.run(neighbours.close())

    async def _look_safely(self, neighbours: Neighbours) -> None:
        try:
            await self.look(neighbours)
        except Exception as error:
            # What was not compared stays so in the database; the next look begins there.
            if not self._behind:
                log.warning("changed evidence is not being looked for", reason=type(error).__name__)
            self._behind = True
        else:
            self._behind = False

    async def look(self, neighbours: Neighbours) -> None:
        """Once: what is new in the log, and what was finished since. Raises: Unavailable: a neighbour is silent."""
        await self._follow(neighbours)
        with reading(self._runtime.sessions) as session:
            finished = store.unchecked(session, MOST_AT_ONCE)
        for job in finished:
            await self._compare(neighbours, job)
            with self._runtime.sessions.begin() as session:
                store.mark_checked(session, job.id, self._runtime.clock())

    async def _follow(self, neighbours: Neighbours) -> None:
        with reading(self._runtime.sessions) as session:
            begin = store.followed(session)
        feed = await neighbours.ingests(begin)
        for subject, since in _reach(feed.items).items():
            with reading(self._runtime.sessions) as session:
                touched = store.jobs_of_subject(session, subject, since, MOST_OF_A_PATIENT)
            for job in touched:
                await self._compare(neighbours, job)
        if feed.next != begin:
            with self._runtime.sessions.begin() as session:
                store.follow(session, feed.next)

    async def _compare(self, neighbours: Neighbours, job: Job) -> None:
        try:
            manifest = parse_manifest(blobs_of(self._runtime, ErasureRow, job.patient).store.get(job.manifest_digest))
        except NotFound:
            return  # an erased case can no longer be compared with anything
        lists = await neighbours.all_evidence(job.patient, job.as_of)
        found = changes(manifest, await evidence_at(neighbours, job.patient, lists, job.as_of))
        if not found:
            return
        with self._runtime.sessions.begin() as session:
            store.lock_job(session, job.id)
            present = store.find_job(session, job.id)
            if present is None or present.erased_at is not None:
                return
            if not store.mark_outdated(session, job.id, found, self._runtime.clock()):
                return
            event = self._runtime.events.event(
                None,
                "prediction",
                "diagnosis-outdated",
                "U",
                patient=job.patient,
                kind="diagnosis",
                object_id=job.id,
                purpose="TREAT",
                details={"caseDigest": job.manifest_digest, "changes": [as_json(change) for change in found]},
            )
            self._runtime.record(session, event)
        self._runtime.wake_relay()


def _reach(ingests: Sequence[Ingest]) -> dict[str, datetime | None]:
    """By patient, from which case time on a diagnosis may be touched; None: whenever it was.

    Of many pieces that came at once, as from a long import, each patient is looked at once.
    """
    reach: dict[str, datetime | None] = {}
    for ingest in ingests:
        # What came promptly can only matter to cases of the last minutes.
        since = None if ingest.late else ingest.occurred_at - PROMPT
        known = reach.setdefault(ingest.subject_ref, since)
        reach[ingest.subject_ref] = None if known is None or since is None else min(known, since)
    return reach
