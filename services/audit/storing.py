"""Whose consents say anything of storing, kept in memory for the doors, which ask once a second (ADR 0142)."""

from __future__ import annotations

import threading

from services.audit.domain.consent import Policy
from services.audit.store.consents import speaking_since
from shared.contracts.audit import StoringWords
from shared.contracts.base import Purpose
from shared.database import Sessions, reading

MOST = 10_000
"""With more of them, the doors ask for everybody."""


class StoringSpeakers:
    """Who has ever said anything of storing. Versions are only added, so that what is known is only added to."""

    def __init__(self, sessions: Sessions, policy: Policy) -> None:
        self._sessions, self._is_stored_unasked = sessions, Purpose.RECORDMGT in policy.opt_out
        self._lock = threading.Lock()
        self._subjects: set[str] = set()
        self._index = -1

    def words(self) -> StoringWords:
        """As of now; with too many to list, or where storing needs a consent, everybody is asked for."""
        with self._lock, reading(self._sessions) as session:
            more, self._index = speaking_since(session, Purpose.RECORDMGT, self._index)
            self._subjects |= more
            listed = self._is_stored_unasked and len(self._subjects) <= MOST
            return StoringWords(
                unspoken="permit" if listed else "ask", subjects=sorted(self._subjects) if listed else []
            )
