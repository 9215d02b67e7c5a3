"""What the notes service does with HL7 v2 messages that come by MLLP."""

from __future__ import annotations

from sqlalchemy.orm import Session

from services.notes.clinical.analysis import analyse
from services.notes.hl7.documents import read_document
from services.notes.hl7.requests import read_act
from services.notes.settings import Settings
from services.notes.usecases.asking import Asker
from services.notes.usecases.messages import take_message
from services.notes.usecases.storing import record_refusal
from shared.auth import Principal
from shared.contracts.base import Modality
from shared.hl7v2.consent import check_consent
from shared.hl7v2.header import Header
from shared.hl7v2.message import read_message
from shared.hl7v2.problems import RefusedMessage
from shared.web import Runtime


class NotesDoor:
    """Takes documents, each in a transaction of its own."""

    shorter = "send one note at a time, without attachments"

    def __init__(self, runtime: Runtime, settings: Settings) -> None:
        self._runtime, self._settings = runtime, settings

    def take(self, header: Header, content: bytes, sender: Principal) -> tuple[()]:
        """Do what a message asks for, all of it, and commit. Raises: RefusedMessage."""
        runtime, settings = self._runtime, self._settings
        act = read_act(header, settings)
        message = read_message(content, header, settings.mllp_charset)
        document = read_document(message, act, settings, runtime.clock())
        if document.note is not None:  # taking a document back needs no consent
            check_consent(runtime, sender, document.note.patient, Modality.NOTE)
        # Before the transaction: SQLite has one writer at a time.
        analysis = analyse(document.note.text, document.people) if document.note else None
        with runtime.sessions.begin() as session:
            take_message(session, runtime, _asker(sender), message, document, analysis)
        return ()

    def record_refusal(self, session: Session, sender: Principal, refusal: RefusedMessage) -> None:
        """Put into the log that a message was refused, and why."""
        record_refusal(session, self._runtime, _asker(sender), refusal)


def _asker(sender: Principal) -> Asker:
    return Asker(sender, sender.jti)
