"""Connections on which no association was asked for, and aborts that come when there is nothing left to abort.

pynetdicom's state machine raises for an abort (PS3.8 section 9.2, event 15) before an association is requested and
after it has ended; both happen when the listener stops: a port scanner is connected, or a sender is just releasing.
And the thread of a connection that its peer has closed again without a word waits for a request until its time is up.
"""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import Any

from pynetdicom.fsm import StateMachine

IDLE, AWAITING_REQUEST, AWAITING_CLOSE = "Sta1", "Sta2", "Sta13"
ABORT_REQUESTED, CONNECTION_CLOSED = "Evt15", "Evt17"


class LenientStateMachine(StateMachine):
    """pynetdicom's, which also takes an abort where the standard has none."""

    def do_action(self, event: str) -> None:
        """Act on an event. Raises: InvalidEventError: the peer's message does not belong here."""
        before = self.current_state
        if event == ABORT_REQUESTED and before in (IDLE, AWAITING_REQUEST, AWAITING_CLOSE):
            with suppress(queue.Empty):  # one abort is announced each turn until somebody has taken it
                self.dul.to_provider_queue.get(block=False)
            if before != AWAITING_REQUEST:
                return
            event = CONNECTION_CLOSED
        super().do_action(event)
        if before == AWAITING_REQUEST and self.current_state == IDLE:
            self.dul.to_user_queue.put(None)  # ends the wait as its timeout does


def end_in_any_state(event: Any) -> None:
    """Prepare a connection that is just open, before its threads run."""
    event.assoc.dul.state_machine = LenientStateMachine(event.assoc.dul)
