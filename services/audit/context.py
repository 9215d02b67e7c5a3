"""What the use cases of this service work with, built once by `create_app`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from services.audit.clients import ReleaseBarrier
from services.audit.domain.consent import Policy
from services.audit.domain.entries import Placed, new_entry
from services.audit.sequencer import Apply, Sequencer
from services.audit.storing import StoringSpeakers
from services.audit.verify.policy import Policy as WitnessPolicy
from shared.auditing import EventWriter
from shared.clock import Clock
from shared.contracts.audit import AuditEvent
from shared.database import Sessions
from shared.tlog.note import NoteKey, VerifierKey


@dataclass(frozen=True)
class BreakGlassRules:
    """How long the glass stays broken, and how soon another person must look at it."""

    open_minutes: int
    review_within_hours: int


@dataclass(frozen=True)
class ModelRules:
    """What bundles must reach, and whether the first one may come without approvals."""

    subgroup_floor: float
    local_activation: bool


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
    models: ModelRules
    storing: StoringSpeakers
    clock: Clock
    barrier: ReleaseBarrier | None
    """None: this suite has no diagnosis service."""
    retention_years: int | None
    """None: entries are kept for ever."""
    erasure_services: Sequence[str]
    """Who is told to erase, beside this service itself."""
    wake_erasing: Callable[[], None]
    """There is something to erase."""
    workers: ThreadPoolExecutor
    """Threads of this service's own: in one process with its callers, their waiting threads must not starve it."""

    @property
    def tenant(self) -> str:
        """The organisation whose log this is."""
        return self.events.tenant

    def record(self, events: Sequence[AuditEvent], apply: Apply | None = None) -> tuple[list[Placed], Any]:
        """Log events of this service itself; returns when they are covered by a signed checkpoint."""
        return self.sequencer.append([new_entry(event, self.tenant) for event in events], apply)
