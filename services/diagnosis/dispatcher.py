"""Sees to it that every queued job reaches a worker, whatever broker and workers do.

Truth is in the database. The dispatcher sends new jobs' ids, sends again what the broker lost, gives back to
the queue what a dead worker held, and ends jobs that too many workers died over. Several may run: each step is
one conditional UPDATE that one of them wins.
"""

from __future__ import annotations

import queue
import threading
import time
from datetime import datetime, timedelta

import structlog

from services.diagnosis import store
from services.diagnosis.broker import PRIORITIES, Broker
from services.diagnosis.domain import Job
from services.diagnosis.recording import failed_event
from services.diagnosis.settings import DiagnosisSettings
from shared.database import reading
from shared.web import Runtime

log = structlog.get_logger(__name__)


class Dispatcher:
    """A thread of the web process; `submit` never waits for the broker."""

    def __init__(self, runtime: Runtime, broker: Broker, settings: DiagnosisSettings) -> None:
        self._runtime, self._broker, self._settings = runtime, broker, settings
        self._new: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._broker_down = False
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Begin dispatching."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what is unsent stays queued in the database."""
        self._stop.set()
        self._new.put(None)
        self._thread.join(timeout=10)

    def submit(self, job_id: str, priority: str) -> None:
        """After the commit: this job is new."""
        self._new.put((job_id, priority))

    def sweep(self) -> None:
        """Look once for jobs that were lost on the way or orphaned."""
        now = self._runtime.clock()
        with reading(self._runtime.sessions) as session:
            orphans = store.expired(session, now)
        for job in orphans:
            self._return(job, now)
        for priority in PRIORITIES:
            self._send_again(priority, now)

    def _run(self) -> None:
        sweep_at = time.monotonic()
        while not self._stop.is_set():
            if time.monotonic() >= sweep_at:
                self._sweep_safely()
                sweep_at = time.monotonic() + self._settings.sweep_s
            try:
                item = self._new.get(timeout=max(sweep_at - time.monotonic(), 0.0))
            except queue.Empty:
                continue
            if item is not None:
                self._send(*item)

    def _sweep_safely(self) -> None:
        try:
            self.sweep()
        except Exception as error:
            # The next sweep tries again; nothing is lost while the database stands.
            log.warning("dispatcher could not look for lost jobs", reason=type(error).__name__)

    def _return(self, job: Job, now: datetime) -> None:
        if job.attempts >= self._settings.max_attempts:
            self._give_up(job, now)
            return
        with self._runtime.sessions.begin() as session:
            returned = store.requeue(session, job, now)
        if returned:
            log.warning("a worker fell silent; its job goes to another", job=job.id, attempts=job.attempts)
            self._send(job.id, job.priority)

    def _give_up(self, job: Job, now: datetime) -> None:
        error = f"{job.attempts} workers stopped while computing this case; it is not tried again."
        event = failed_event(self._runtime, job, error)
        with self._runtime.sessions.begin() as session:
            if store.fail_orphan(session, job, error, now):
                self._runtime.record(session, event)
        self._runtime.wake_relay()

    def _send_again(self, priority: str, now: datetime) -> None:
        patience = self._settings.resend_after_s
        sent_before = now - timedelta(seconds=patience)
        with reading(self._runtime.sessions) as session:
            waiting = store.unsent(session, priority, sent_before=sent_before, now=now)
        if not waiting:
            return
        if self._depth(priority) > 0:
            # The queue holds messages, so these jobs probably just wait their turn: only those that are due by
            # themselves, or very old.
            sent_before = now - timedelta(seconds=self._settings.resend_busy_after_s)
        for job_id in waiting:
            with self._runtime.sessions.begin() as session:
                ours = store.mark_sent(session, job_id, sent_before=sent_before, now=now)
            if ours and not self._send(job_id, priority):
                return

    def _depth(self, priority: str) -> int:
        try:
            return self._broker.depth(priority)
        except Exception:
            return 0  # the broker is down, so it holds nothing; sending will say so

    def _send(self, job_id: str, priority: str) -> bool:
        try:
            self._broker.send(job_id, priority)
        except Exception as error:
            # Whatever the broker's client raises, the job is safe in the database and the next sweep sends it.
            if not self._broker_down:
                log.warning("the broker does not answer; jobs wait in the database", reason=type(error).__name__)
            self._broker_down = True
            return False
        self._broker_down = False
        return True
