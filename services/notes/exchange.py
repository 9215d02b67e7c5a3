"""One HL7 v2 message in, its acknowledgements out; an accepting one only after the commit."""

from __future__ import annotations

import structlog

from services.notes.clinical.analysis import analyse
from services.notes.hl7.acks import Verdict, acknowledgement, owed
from services.notes.hl7.documents import read_document
from services.notes.hl7.framing import framed
from services.notes.hl7.header import UNREADABLE, Header, read_header
from services.notes.hl7.message import read_message
from services.notes.hl7.problems import Fault, Kind, RefusedMessage
from services.notes.hl7.requests import read_act
from services.notes.settings import Settings
from services.notes.usecases.asking import Asker
from services.notes.usecases.messages import take_message
from services.notes.usecases.storing import record_refusal
from shared.auth import Principal, Role
from shared.errors import origin_of
from shared.ids import uuid7
from shared.web import Runtime

ISSUER = "mllp"
SUBJECT_MAX = 64
_NOT_NOW = Fault("MSH", "was not taken: the store is not answering", "send the same message again later", Kind.INTERNAL)

log = structlog.get_logger(__name__)


class Exchange:
    """Answers messages, from any thread."""

    def __init__(self, runtime: Runtime, settings: Settings) -> None:
        self._runtime, self._settings = runtime, settings

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
        fault = Fault("MSH", problem, "send one note at a time, without attachments", Kind.TOO_LONG)
        try:
            header = read_header(beginning)
        except RefusedMessage:
            header = UNREADABLE
        return self._refused(header, RefusedMessage(fault))

    def _answer(self, header: Header, content: bytes) -> bytes:
        try:
            self._take(header, content)
        except RefusedMessage as refusal:
            return self._refused(header, refusal)
        except Exception as error:
            return self._failed(header, error)
        return self._frames(header, Verdict.ACCEPTED, ())

    def _take(self, header: Header, content: bytes) -> None:
        runtime, settings = self._runtime, self._settings
        act = read_act(header, settings.mllp_processing_ids)
        message = read_message(content, header, settings.mllp_charset)
        document = read_document(message, act, settings, runtime.clock())
        # Before the transaction: SQLite has one writer at a time.
        analysis = analyse(document.note.text, document.people) if document.note else None
        with runtime.sessions.begin() as session:
            take_message(session, runtime, self._asker(header), message, document, analysis)
        runtime.wake_relay()

    def _refused(self, header: Header, refusal: RefusedMessage) -> bytes:
        runtime = self._runtime
        try:
            with runtime.sessions.begin() as session:
                record_refusal(session, runtime, self._asker(header), refusal)
        except Exception as error:
            return self._failed(header, error)
        runtime.wake_relay()
        return self._frames(header, Verdict.REJECTED, refusal.faults)

    def _failed(self, header: Header, error: Exception) -> bytes:
        # The sender must get an answer, whatever it was; a message might quote the note.
        log.error("message not taken", reason=type(error).__name__, at=origin_of(error))
        return self._frames(header, Verdict.ERROR, (_NOT_NOW,))

    def _frames(self, header: Header, verdict: Verdict, faults: tuple[Fault, ...]) -> bytes:
        now = self._runtime.clock()
        codes = owed(header, verdict)
        return b"".join(framed(acknowledgement(header, code, faults, now, _control_id())) for code in codes)

    def _asker(self, header: Header) -> Asker:
        # MLLP has no tokens: the actor is whom the message says that it comes from.
        name = "|".join(part for part in (header.part(3), header.part(4)) if part) or "unnamed"
        subject = "".join(character for character in name if character.isprintable())[:SUBJECT_MAX]
        request_id = uuid7()
        tenant = self._runtime.common.tenant
        return Asker(Principal(ISSUER, subject, Role.EHR_SYSTEM, tenant, client_id=None, jti=request_id), request_id)


def _control_id() -> str:
    """MSH-10 of an answer: 20 characters, as versions before 2.7 allow; 48 bits of time and 32 of chance."""
    digits = uuid7().replace("-", "")
    return digits[:12] + digits[-8:]
