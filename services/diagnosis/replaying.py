"""Replays as the web part sees them: what may be replayed, what the log is told, and a sample each night."""

from __future__ import annotations

import asyncio
import random
import threading
from datetime import timedelta

import structlog
from prometheus_client import Counter

from services.diagnosis import store
from services.diagnosis.asking import QuestionBroker, ask_worker
from services.diagnosis.domain import RELEASED, Job
from services.diagnosis.errors import NotFinished
from services.diagnosis.joint_schemas import QuestionBody
from services.diagnosis.replay_schemas import DISAGREES, ReplayOut
from services.diagnosis.settings import DiagnosisSettings
from shared.auth import Principal
from shared.database import reading
from shared.errors import AppError
from shared.web import Runtime

LOOK_S = 30.0
LOOKS_BACK = timedelta(days=7)
REPLAYS = Counter("consilium_replays_total", "Diagnoses computed again, by what became of them.", ["verdict"])
log = structlog.get_logger(__name__)


def released_job(runtime: Runtime, job_id: str) -> Job:
    """A diagnosis that has a result, or had one until its patient was erased.

    Raises: UnknownDiagnosis, NotFinished.
    """
    with reading(runtime.sessions) as session:
        job = store.find_job(session, job_id) or store.get_job(session, job_id)
    if job.status not in RELEASED:
        raise NotFinished(f"This diagnosis is {job.status}; only a result can be replayed.")
    return job


def record(runtime: Runtime, principal: Principal | None, request_id: str | None, said: ReplayOut) -> None:
    """Tell the log, and whoever watches the metrics; None: the suite itself asked."""
    job = released_job(runtime, said.diagnosis)
    disagrees = said.verdict in DISAGREES
    event = runtime.events.event(
        principal,
        "prediction",
        "diagnosis-replayed",
        "E",
        outcome="failure" if disagrees else "success",
        reason=said.text if disagrees else None,
        patient=None if job.erased_at else job.patient,
        subject_ref=job.patient if job.erased_at else None,
        kind="diagnosis",
        object_id=job.id,
        purpose="HOPERAT",
        request_id=request_id,
        details={
            "verdict": said.verdict.value,
            "caseDigest": said.case_digest,
            "bundleDigest": said.bundle_digest,
            "replayedWith": said.replayed_with,
            "epsilon": repr(said.epsilon),
            **({} if said.greatest_difference is None else {"greatestDifference": repr(said.greatest_difference)}),
        },
    )
    with runtime.sessions.begin() as session:
        runtime.record(session, event)
    runtime.wake_relay()
    REPLAYS.labels(said.verdict.value).inc()
    if disagrees:
        log.error("a diagnosis does not come out again", job=job.id, verdict=said.verdict.value)


class NightlyReplays:
    """A thread that has some of the last week's diagnoses computed again, once a night.

    Several web processes may run: the first one to claim a night replays for all.
    """

    def __init__(self, runtime: Runtime, broker: QuestionBroker, settings: DiagnosisSettings) -> None:
        self._runtime, self._broker, self._settings = runtime, broker, settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nightly-replays", daemon=True)

    def start(self) -> None:
        """Begin to wait for the night."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the replay in hand."""
        self._stop.set()
        self._thread.join(timeout=self._settings.question_timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self.look()
            except Exception as error:
                # Whatever failed, tomorrow is another night; the day's diagnoses must not suffer.
                log.warning("the nightly replay did not run", reason=type(error).__name__)

    def look(self) -> int:
        """Replay where it is time for it and nobody has; how many were replayed."""
        now = self._runtime.clock()
        if not self._settings.replay_nightly or now.hour != self._settings.replay_hour_utc:
            return 0
        with self._runtime.sessions.begin() as session:
            if not store.claim_night(session, now.date()):
                return 0
            recent = store.released_since(session, now - LOOKS_BACK)
        chosen = random.sample(recent, min(self._settings.replay_nightly, len(recent)))
        return sum(self._replay(job_id) for job_id in chosen if not self._stop.is_set())

    def _replay(self, job_id: str) -> bool:
        question = QuestionBody(ask="replay")
        try:
            said = asyncio.run(ask_worker(self._runtime, self._broker, self._settings, question, job_id))
        except AppError as error:
            log.warning("a diagnosis was not replayed", job=job_id, reason=error.slug)
            return False
        record(self._runtime, None, None, ReplayOut.model_validate_json(said))
        return True
