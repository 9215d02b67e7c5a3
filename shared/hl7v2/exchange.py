"""One HL7 v2 message in, its acknowledgements out; an accepting one only after the commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from shared.auth import Principal, Role
from shared.errors import origin_of
from shared.hl7v2.acks import Verdict, acknowledgement, owed
from shared.hl7v2.framing import framed
from shared.hl7v2.header import UNREADABLE, Header, read_header
from shared.hl7v2.problems import Fault, Kind, RefusedMessage
from shared.hl7v2.settings import MllpSettings
from shared.ids import uuid7
from shared.web import Runtime

ISSUER = "mllp"
SUBJECT_MAX = 64
_NOT_NOW = Fault("MSH", "was not taken: the store is not answering", "send the same message again later", Kind.INTERNAL)

log = structlog.get_logger(__name__)


class Door(Protocol):
    """What a service does with messages, from any thread."""

    shorter: str
    """How to send what was too long for one message."""

    def take(self, header: Header, content: bytes, sender: Principal) -> Sequence[Fault]:
        """Do what a message asks for, and commit; gives what of it was left out. Raises: RefusedMessage."""

    def record_refusal(self, session: Session, sender: Principal, refusal: RefusedMessage) -> None:
        """Put into the log that a message was refused, and why."""


class Exchange:
    """Answers messages, from any thread."""

    def __init__(self, runtime: Runtime, settings: MllpSettings, door: Door) -> None:
        self._runtime, self._settings, self._door = runtime, settings, door

    def answer(self, content: bytes) -> bytes:
        """The frames to send for a message; none where the sender wants none, or sent an acknowledgement itself."""
        try:
            header = read_header(content)
        except RefusedMessage as refusal:
            return self._refused(UNREADABLE, refusal)
        if header.part(9) == "ACK":
            # Whoever acknowledges an acknowledgement never ends.
            return b""
        return self._answer(header, content)

    def answer_too_long(self, beginning: bytes) -> bytes:
        """The frames to send for a message of which only the beginning was read."""
        problem = f"begins a message of more than {self._settings.mllp_max_message_bytes} bytes"
        fault = Fault("MSH", problem, self._door.shorter, Kind.TOO_LONG)
        try:
            header = read_header(beginning)
        except RefusedMessage:
            header = UNREADABLE
        return self._refused(header, RefusedMessage(fault))

    def _answer(self, header: Header, content: bytes) -> bytes:
        try:
            left_out = self._door.take(header, content, self._sender(header))
        except RefusedMessage as refusal:
            return self._refused(header, refusal)
        except Exception as error:
            return self._failed(header, error)
        self._runtime.wake_relay()
        return self._frames(header, Verdict.ACCEPTED, left_out)

    def _refused(self, header: Header, refusal: RefusedMessage) -> bytes:
        try:
            with self._runtime.sessions.begin() as session:
                self._door.record_refusal(session, self._sender(header), refusal)
        except Exception as error:
            return self._failed(header, error)
        self._runtime.wake_relay()
        return self._frames(header, Verdict.REJECTED, refusal.faults)

    def _failed(self, header: Header, error: Exception) -> bytes:
        # The sender must get an answer, whatever it was; a message might quote patient data.
        log.error("message not taken", reason=type(error).__name__, at=origin_of(error))
        return self._frames(header, Verdict.ERROR, (_NOT_NOW,))

    def _frames(self, header: Header, verdict: Verdict, faults: Sequence[Fault]) -> bytes:
        now = self._runtime.clock()
        codes = owed(header, verdict)
        return b"".join(framed(acknowledgement(header, code, faults, now, _control_id())) for code in codes)

    def _sender(self, header: Header) -> Principal:
        # MLLP has no tokens: the actor is whom the message says that it comes from.
        name = "|".join(part for part in (header.part(3), header.part(4)) if part) or "unnamed"
        subject = "".join(character for character in name if character.isprintable())[:SUBJECT_MAX]
        tenant = self._runtime.common.tenant
        return Principal(ISSUER, subject, Role.EHR_SYSTEM, tenant, client_id=None, jti=uuid7())


def _control_id() -> str:
    """MSH-10 of an answer: 20 characters, as versions before 2.7 allow; 48 bits of time and 32 of chance."""
    digits = uuid7().replace("-", "")
    return digits[:12] + digits[-8:]
