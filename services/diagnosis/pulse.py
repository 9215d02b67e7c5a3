"""A worker's heartbeat: it says that the worker is there, and keeps the lease of the job in hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.diagnosis import store
from services.diagnosis.domain import Job
from services.diagnosis.settings import DiagnosisSettings
from shared.clock import Clock, utc_now
from shared.database import Sessions

log = structlog.get_logger(__name__)


@dataclass
class Hold:
    """The job in hand. `lost` tells the work that its fence is behind; finishing checks that again in the database."""

    job: Job
    stage: str | None = None
    lost: threading.Event = field(default_factory=threading.Event)


class Memory:
    """What a process keeps of cases to answer sooner: forgotten after each erasure, but not in the middle of a case,
    which would put back what it has at hand."""

    def __init__(self, forget: Callable[[], None]) -> None:
        self._forget, self._lock = forget, threading.Lock()
        self._in_use = False
        self._due = 0
        self._done: int | None = None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """A case is at hand while the block runs."""
        with self._lock:
            self._in_use = True
        try:
            yield
        finally:
            with self._lock:
                self._in_use = False
                self._catch_up()

    def forget_after(self, erasures: int) -> int | None:
        """There were so many erasures: forget now, or when the case at hand is done. Gives after how many it did."""
        with self._lock:
            self._due = erasures
            if not self._in_use:
                self._catch_up()
            return self._done

    def _catch_up(self) -> None:
        if self._due != self._done:
            self._forget()
            self._done = self._due


class Pulse:
    """A thread that beats every `heartbeat_s`, and at once when the stage changes: a stage never costs the
    work a commit.
    """

    def __init__(
        self,
        sessions: Sessions,
        settings: DiagnosisSettings,
        worker: str,
        ready_digest: Callable[[], str | None],
        clock: Clock = utc_now,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """Args: ready_digest: the bundle that the worker would answer with at once; empty: it has none that the
        registry calls active; None: it does not know yet, and nobody is told of it."""
        self._sessions, self._settings, self._clock = sessions, settings, clock
        self._worker, self._ready_digest = worker, ready_digest
        self._hold: Hold | None = None
        self._memory = Memory(forget)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Beat from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and say goodbye so that nobody counts on this worker."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=5)
        with self._sessions.begin() as session:
            store.forget_worker(session, self._worker)

    @contextmanager
    def holding(self, job: Job) -> Iterator[Hold]:
        """Keep this job's lease while the block runs."""
        hold = self._hold = Hold(job)
        try:
            yield hold
        finally:
            self._hold = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """Something is being computed while the block runs."""
        with self._memory.in_use():
            yield

    def stage(self, name: str) -> None:
        """The job in hand has come to a new stage."""
        hold = self._hold
        if hold is not None:
            hold.stage = name
            self._wake.set()

    def beat(self) -> None:
        """One beat."""
        now, hold, lease_s = self._clock(), self._hold, self._settings.lease_s
        digest = self._ready_digest()
        with self._sessions.begin() as session:
            forgotten = self._memory.forget_after(store.count_erasures(session))
            if digest is None:
                store.forget_worker(session, self._worker)
            else:
                store.worker_seen(session, self._worker, digest, now, forgotten)
            if hold is not None and not hold.lost.is_set():
                kept = store.renew(session, hold.job.id, hold.job.fence, now=now, lease_s=lease_s, stage=hold.stage)
                if not kept:
                    hold.lost.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.beat()
            except SQLAlchemyError as error:
                # The lease may run out; the fence then keeps this worker from finishing twice.
                log.warning("a heartbeat could not be written", reason=type(error).__name__)
            self._wake.wait(self._settings.heartbeat_s)
            self._wake.clear()
