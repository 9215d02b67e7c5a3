"""What the use cases of this service work with, built once by `create_app`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from services.audit.clients import ReleaseBarrier
from services.audit.domain.consent import Policy
from services.audit.domain.entries import Placed, new_entry
from services.audit.sequencer import Apply, Sequencer
from services.audit.store.consents import speaking_since
from services.audit.verify.policy import Policy as WitnessPolicy
from shared.auditing import EventWriter
from shared.clock import Clock
from shared.contracts.audit import AuditEvent, StoringWords
from shared.contracts.base import Purpose
from shared.database import Sessions, reading
from shared.tlog.note import NoteKey, VerifierKey

MOST_SPEAKERS = 10_000


@dataclass(frozen=True)
class BreakGlassRules:
    """How long the glass stays broken, and how soon another person must look at it."""

    open_minutes: int
    review_within_hours: int


class StoringSpeakers:
    """Who has ever said anything of storing. Versions are only added, so that what is known is only added to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subjects: set[str] = set()
        self._index = -1

    def words(self, context: AuditContext) -> StoringWords:
        """As of now; with too many to list, or where storing needs a consent, everybody is asked for."""
        with self._lock, reading(context.sessions) as session:
            more, self._index = speaking_since(session, Purpose.RECORDMGT, self._index)
            self._subjects |= more
            listed = len(self._subjects) <= MOST_SPEAKERS and Purpose.RECORDMGT in context.policy.opt_out
            return StoringWords(
                unspoken="permit" if listed else "ask", subjects=sorted(self._subjects) if listed else []
            )


@dataclass(frozen=True)
class AuditContext:
    """The log and what is needed to write to it and read from it."""

    sessions: Sessions
    sequencer: Sequencer
    witnesses: WitnessPolicy
    verifier_key: VerifierKey
    public_keys: Sequence[NoteKey]
    """Every key that signs checkpoints, the one above first."""
    events: EventWriter
    policy: Policy
    break_glass: BreakGlassRules
    storing: StoringSpeakers
    clock: Clock
    barrier: ReleaseBarrier | None
    """None: this suite has no diagnosis service."""
    workers: ThreadPoolExecutor
    """Threads of this service's own: in one process with its callers, their waiting threads must not starve it."""

    @property
    def tenant(self) -> str:
        """The organisation whose log this is."""
        return self.events.tenant

    def record(self, events: Sequence[AuditEvent], apply: Apply | None = None) -> tuple[list[Placed], Any]:
        """Log events of this service itself; returns when they are covered by a signed checkpoint."""
        return self.sequencer.append([new_entry(event, self.tenant) for event in events], apply)
