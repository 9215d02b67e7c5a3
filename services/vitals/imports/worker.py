"""The thread of a vitals process that works on imports, one at a time."""

from __future__ import annotations

import threading
from datetime import timedelta

import structlog

from services.vitals.imports import usecases
from services.vitals.imports.domain import Claim
from services.vitals.imports.store import LeaseLost
from services.vitals.imports.usecases import Work
from services.vitals.settings import Settings
from shared.errors import origin_of
from shared.web import Runtime

POLL_S = 2.0
log = structlog.get_logger(__name__)


class ImportWorker:
    """Claims imports and works on them. Several processes may each have one: a lease says who works on what."""

    def __init__(self, runtime: Runtime, settings: Settings) -> None:
        self._wake, self._stop = threading.Event(), threading.Event()
        self._work = Work(runtime, settings, self._stop.is_set)
        self._thread = threading.Thread(target=self._run, name="vitals-imports", daemon=True)

    def __enter__(self) -> ImportWorker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop after the batch in hand; the rest waits for the next start."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=30)

    def wake(self) -> None:
        """There is a new import."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(POLL_S)
            self._wake.clear()
            try:
                while not self._stop.is_set() and (held := usecases.claim_next(self._work)):
                    self._run_one(held)
            except Exception as error:
                # The database does not answer; what is queued there waits.
                log.warning("imports wait", reason=type(error).__name__)

    def _run_one(self, held: Claim) -> None:
        try:
            usecases.run(self._work, held)
        except LeaseLost:
            log.warning("another worker took the import over", id=held.job.id)
        except Exception as error:
            # Its words may hold patient data. After some attempts the import is failed.
            log.error("import stopped", id=held.job.id, error=type(error).__name__, at=origin_of(error))
            pause = timedelta(seconds=self._work.settings.import_lease_s)
            usecases.give_back(self._work, held, self._work.clock() + pause)
