"""The thread that reports storage commitment: what was just asked, and what is still due from before a restart."""

from __future__ import annotations

import queue
import threading
from ssl import SSLContext
from typing import Any

import structlog

from services.imaging.dimse.commitment import report_of
from services.imaging.dimse.exchange import report_on, report_to
from services.imaging.dimse.peers import principal_of
from services.imaging.domain import Commitment, Verdict
from services.imaging.settings import Settings
from services.imaging.usecases import commitment as usecases
from shared.web import Runtime

POLL_S = 1.0
STOP_S = 15.0

log = structlog.get_logger(__name__)


class CommitmentReporter:
    """Reports from `start` to `stop`. It polls the database each second: other processes may leave work there."""

    def __init__(self, runtime: Runtime, settings: Settings, tls: SSLContext | None) -> None:
        self._runtime, self._settings, self._tls = runtime, settings, tls
        self._asked: queue.SimpleQueue[tuple[Commitment, Any] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commitment-reporter", daemon=True)

    def start(self) -> None:
        """Begin reporting."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the report in hand; what is not reported is in the database."""
        self._stopping.set()
        self._asked.put(None)
        self._thread.join(timeout=STOP_S)

    def submit(self, commitment: Commitment, assoc: Any) -> None:
        """A request that was just committed to the database, and the association on which it came."""
        self._asked.put((commitment, assoc))

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._report_asked(self._asked.get(timeout=POLL_S))
            except queue.Empty:
                self._report_due()

    def _report_asked(self, asked: tuple[Commitment, Any] | None) -> None:
        if asked is not None:
            self._report(*asked)

    def _report_due(self) -> None:
        try:
            while not self._stopping.is_set() and self._asked.empty():
                due = usecases.next_due(self._runtime)
                if due is None:
                    return
                self._report(due, None)
        except Exception as error:
            # Whatever the database says, requests are safe in it, and the next look may find it well.
            log.warning("storage commitment waits", reason=type(error).__name__)

    def _report(self, commitment: Commitment, assoc: Any) -> None:
        try:
            verdict = usecases.check(self._runtime, commitment.references)
            delivered = self._deliver(commitment, verdict, assoc)
            self._settle(commitment, verdict if delivered else None)
        except Exception as error:
            # The store or the database is not answering: the lease ends, and the request is due again.
            log.warning("storage commitment waits", ae_title=commitment.ae_title, reason=type(error).__name__)

    def _deliver(self, commitment: Commitment, verdict: Verdict, assoc: Any) -> bool:
        event_type, ds = report_of(commitment, verdict)
        if assoc is not None and report_on(assoc, event_type, ds):
            return True
        address = self._settings.commitment_addresses.get(commitment.ae_title)
        if address is None:
            return False
        return report_to(address, self._settings.ae_title, commitment.ae_title, self._tls, event_type, ds)

    def _settle(self, commitment: Commitment, verdict: Verdict | None) -> None:
        """Keep in the database what became of it."""
        runtime, title = self._runtime, commitment.ae_title
        with runtime.sessions.begin() as session:
            if verdict is not None:
                principal = principal_of(title, runtime.common.tenant, commitment.id)
                usecases.record_reported(session, runtime, commitment, verdict, principal)
            elif not usecases.postpone(session, runtime, commitment):
                log.error("storage commitment given up", ae_title=title)
            else:
                log.warning(
                    "storage commitment not reported",
                    ae_title=title,
                    address="configured" if title in self._settings.commitment_addresses else "none configured",
                )
        runtime.wake_relay()
