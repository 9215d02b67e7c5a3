"""Whether a patient's consents let what comes through a door be stored at all (purpose `RECORDMGT`).

Every door for evidence asks before it stores. Without any word of the patient the policy of the audit service decides:
`opt-out`, so that everything is stored, unless the site says otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared.auditing import actor_of
from shared.auth import Principal
from shared.clients import AuditClient
from shared.contracts.audit import ConsentBasis, ConsentQuestion
from shared.contracts.base import Modality, Purpose
from shared.errors import FieldProblem, Forbidden

SubjectOf = Callable[[str], str]
"""A patient's pseudonym."""
REMEMBERED_S = 1.0
"""A permission is asked for once a second for each patient: a study comes in hundreds of instances."""
MOST_REMEMBERED = 1000
DENIED = FieldProblem(
    "patient", "has a consent that does not let this be stored (RECORDMGT)", "ask the patient, or leave it with you"
)


class StoringDenied(Forbidden):
    """The patient's consents do not let this be stored."""

    slug = "consent-denies-storing"

    def __init__(self, basis: ConsentBasis) -> None:
        super().__init__("Nothing was stored: the patient's consent does not permit it.", fields=[DENIED])
        self.basis = basis


@dataclass(frozen=True)
class _Heard:
    """Of which patients must be asked, until when; None: of all."""

    subjects: frozenset[str] | None
    until: float


class StoringGate:
    """Asks the audit service. Thread-safe; one per process."""

    def __init__(self, audit: AuditClient, subject_of: SubjectOf, *, enabled: bool = True) -> None:
        self._audit, self._subject_of, self._enabled = audit, subject_of, enabled
        self._permitted: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()
        self._heard = _Heard(frozenset(), until=0.0)

    def check(self, principal: Principal, patients: Iterable[str], modality: Modality) -> None:
        """Whether evidence of these patients may be stored for whom it comes from.

        Raises: StoringDenied: of one of them it may not. ConsentUnknown: the audit service does not answer.
        """
        if self._enabled:
            for patient in patients:
                self._check(principal, patient, modality)

    def _check(self, principal: Principal, patient: str, modality: Modality) -> None:
        # Whatever a consent may tell people apart by.
        key = (patient, modality, principal.role, principal.subject, principal.client_id or "")
        if self._permitted.get(key, 0.0) > time.monotonic() or self._never_spoke(patient):
            return
        question = ConsentQuestion(
            patient=patient, purpose=Purpose.RECORDMGT, modalities=[modality], actor=actor_of(principal)
        )
        asked_at = time.monotonic()
        basis = self._audit.decide(question).decisions[modality]
        if basis.decision != "permit":
            raise StoringDenied(basis)
        with self._lock:
            if len(self._permitted) >= MOST_REMEMBERED:
                self._permitted.clear()
            self._permitted[key] = asked_at + REMEMBERED_S

    def _never_spoke(self, patient: str) -> bool:
        """Whether this patient has no consent about storing, and without one everything is stored.

        Asked once a second for all patients together: most have none, and each comes in hundreds of pieces.
        """
        heard, now = self._heard, time.monotonic()
        if heard.until <= now:
            # Without a lock: two may ask at once, but nobody waits for another's question when the answer is slow.
            words = self._audit.storing_words()
            subjects = frozenset(words.subjects) if words.unspoken == "permit" else None
            heard = self._heard = _Heard(subjects, now + REMEMBERED_S)
        return heard.subjects is not None and self._subject_of(patient) not in heard.subjects


def basis_of(error: Exception) -> ConsentBasis | None:
    """The consent that a refusal rests on, if it rests on one."""
    basis = getattr(error, "basis", None)
    return basis if isinstance(basis, ConsentBasis) else None
