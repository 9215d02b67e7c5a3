"""Carries erasures out, apart from the requests for them: a thread asks every service until each has answered.

An erasure is in the journal before the first service is asked, and in the log, with all receipts, after the last one
has answered. Whatever stops in between goes on at the next start: orders may be sent twice. At each start the services
are asked which erasures of the journal their databases do not know, as after a restored backup, and those are done
again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Protocol

import structlog
from prometheus_client import Gauge
from sqlalchemy.orm import Session

from services.audit.context import AuditContext
from services.audit.domain.erasure import OWN, Erasure
from services.audit.erasure_journal import ErasureJournal
from services.audit.errors import AlreadyErased
from services.audit.store import erasures as store
from shared.contracts.erasure import ErasureOrder
from shared.database import forget_older_pages, reading
from shared.digests import digest_json
from shared.errors import AppError

POLL_S = 5.0
"""Between two looks when nobody wakes the thread, and after a service that did not answer."""
FIRST_PAUSE_S = 0.2
OPEN = Gauge("consilium_erasures_open", "Erasures that are not done, those under a legal hold not counted.")
log = structlog.get_logger(__name__)


class ErasingServices(Protocol):
    """The services that keep patient data."""

    def erase(self, service: str, order: ErasureOrder) -> Mapping[str, int]:
        """How many of which store one service has erased. Raises: AppError: ask again."""

    def unknown(self, service: str, ids: list[str]) -> list[str]:
        """Which of these erasures one service never carried out. Raises: AppError."""

    def close(self) -> None:
        """Close the connections."""


class Erasing:
    """The thread. Several processes may have one: of two that finish an erasure, one tells the log."""

    def __init__(self, context: AuditContext, services: ErasingServices, journal: ErasureJournal) -> None:
        self._context, self._services, self._journal = context, services, journal
        self._to_offer = [*context.erasure_services, OWN]
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="erasing", daemon=True)

    def start(self) -> None:
        """Begin. Raises: ValueError: the journal cannot be read."""
        if not self._journal.entries():
            self._to_offer = []
        self._thread.start()

    def stop(self) -> None:
        """Stop after the order in hand."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=15)
        self._services.close()

    def wake(self) -> None:
        """There is something to erase."""
        self._wake.set()

    def is_catching_up(self) -> bool:
        """Whether a restored backup may still hold what was erased."""
        if self._to_offer:
            return True
        with reading(self._context.sessions) as session:
            return store.is_catching_up(session)

    def work(self) -> bool:
        """Ask whom there is to ask, once; says whether nothing is left."""
        self._offer_journal()
        with reading(self._context.sessions) as session:
            erasures = store.running(session)
        OPEN.set(len(erasures))
        silent: set[str] = set()
        for erasure in erasures:
            self._carry_out(erasure, silent)
        return not silent and not self._to_offer

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                done = self.work()
            except Exception as error:
                # What is not done stands in the database, and is tried again.
                log.error("erasures are not carried out", reason=type(error).__name__)
                done = False
            pause = POLL_S if done else min(2 * pause, POLL_S)
            if self._wake.wait(pause):
                self._wake.clear()
                pause = FIRST_PAUSE_S

    # --- one erasure --------------------------------------------------------------------------------------------------

    def _carry_out(self, erasure: Erasure, silent: set[str]) -> None:
        """Ask every service that has not answered, but none that did not answer for an earlier erasure: a patient's
        erasures are done in their order."""
        self._journal.add(erasure)
        for part in erasure.open_parts:
            if part.service not in silent and not self._stop.is_set() and not self._ask(erasure, part.service):
                silent.add(part.service)
        with reading(self._context.sessions) as session:
            present = store.find_erasure(session, erasure.id)
        if present is not None and present.state == "running" and not present.open_parts:
            self._finish(present)

    def _ask(self, erasure: Erasure, service: str) -> bool:
        context = self._context
        with context.sessions.begin() as session:
            store.count_attempt(session, erasure.id, service)
            if service == OWN:
                stores = store.erase_side_tables(session, erasure.subject_ref)
                store.finish_part(session, erasure.id, service, stores, context.clock())
                return True
        order = ErasureOrder(id=erasure.id, subject_ref=erasure.subject_ref, patient=erasure.patient)
        try:
            receipt = self._services.erase(service, order)
        except AppError as error:
            log.warning("a service has not erased yet", service=service, erasure=erasure.id, reason=error.slug)
            return False
        with context.sessions.begin() as session:
            store.finish_part(session, erasure.id, service, receipt, context.clock())
        return True

    def _finish(self, erasure: Erasure) -> None:
        """Tell the log, and forget the identifier in the same transaction."""
        now = self._context.clock()
        event = self._context.events.event(
            None, "erasure", "patient-erased-again" if erasure.again else "patient-erased", "D",
            subject_ref=erasure.subject_ref, kind="erasure", object_id=erasure.id,
            digest=digest_json({"reason": erasure.reason}),
            details={"receipts": {part.service: dict(part.stores or {}) for part in erasure.parts}},
        )  # fmt: skip

        def _apply(session: Session, index: int) -> None:
            present = store.find_erasure(session, erasure.id)
            if present is None or present.state != "running" or present.open_parts:
                raise AlreadyErased("Another process has finished this erasure.")
            store.finish(session, erasure.id, index, now)

        try:
            self._context.record([event], _apply)
        except AlreadyErased:
            return
        forget_older_pages(self._context.sessions.kw["bind"])
        log.info("a patient was erased", erasure=erasure.id, again=erasure.again)

    # --- after a restored backup --------------------------------------------------------------------------------------

    def _offer_journal(self) -> None:
        """Ask each service once in the life of this process which erasures of the journal it does not know."""
        if not self._to_offer:
            return
        entries = self._journal.entries()
        for service in list(self._to_offer):
            try:
                missing = self._missing(service, [entry.id for entry in entries])
            except AppError as error:
                log.info("a service was not asked for the erasure journal yet", service=service, reason=error.slug)
                continue
            if missing:
                log.warning("a restored backup is erased from again", service=service, erasures=len(missing))
            with self._context.sessions.begin() as session:
                self._open_again(session, service, [entry for entry in entries if entry.id in missing])
            self._to_offer.remove(service)

    def _missing(self, service: str, ids: list[str]) -> set[str]:
        if service != OWN:
            return set(self._services.unknown(service, ids))
        with reading(self._context.sessions) as session:
            return set(ids) - store.known_ids(session)

    def _open_again(self, session: Session, service: str, missing: list[Erasure]) -> None:
        known = store.known_ids(session)
        for entry in missing:
            if entry.id in known:
                store.open_again(session, entry.id, [service])
            else:
                # This service's own database was restored too: all are asked, and those that know it say so again.
                store.add_erasure(session, entry, [*self._context.erasure_services, OWN])
