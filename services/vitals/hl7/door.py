"""What the vitals service does with HL7 v2 messages that come by MLLP."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy.orm import Session

from services.vitals import usecases
from services.vitals.domain import Batch, Rejection
from services.vitals.hl7.observations import read_report
from services.vitals.settings import Settings
from services.vitals.store import MessageRow
from services.vitals.usecases import Asker
from shared.auth import Principal
from shared.contracts.base import Modality
from shared.hl7v2.consent import check_consent
from shared.hl7v2.header import Header
from shared.hl7v2.message import read_message
from shared.hl7v2.once import claim
from shared.hl7v2.problems import Fault, Kind, RefusedMessage
from shared.hl7v2.requests import header_faults
from shared.ids import uuid7
from shared.web import Runtime

TAKEN = frozenset({("ORU", "R01")})
FAULTS_TOLD = 20
"""ERR segments of an answer that name one OBX each; one more says how many others there are."""


class VitalsDoor:
    """Takes vital signs, those of a message in one transaction (ADR 0121)."""

    shorter = "send fewer observations in a message"

    def __init__(self, runtime: Runtime, settings: Settings) -> None:
        self._runtime, self._settings = runtime, settings

    def take(self, header: Header, content: bytes, sender: Principal) -> Sequence[Fault]:
        """Store what of a message can be taken; gives what cannot. Raises: RefusedMessage: nothing can."""
        runtime, settings = self._runtime, self._settings
        now = runtime.clock()
        if faults := tuple(header_faults(header, settings, TAKEN, "send ORU^R01 with vital signs")):
            raise RefusedMessage(*faults)
        message = read_message(content, header, settings.mllp_charset)
        report = read_report(message, settings, now)
        if not report.samples:
            raise RefusedMessage(*_told(report.faults))
        check_consent(runtime, sender, report.patient, Modality.VITALS)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        rejected = [Rejection(fault.sequence, fault) for fault in report.faults]
        samples = {report.patient: report.samples}
        batch = Batch(uuid7(), digest, now, report.observations, samples, rejected, report.corrections)
        with runtime.sessions.begin() as session:
            subject_ref = runtime.events.pseudonyms.patient(runtime.common.tenant, report.patient)
            if claim(session, MessageRow, runtime.common.tenant, message, subject_ref, now):
                usecases.store_batch(session, runtime, Asker(sender, sender.jti), batch)
        return _told(report.faults)

    def record_refusal(self, session: Session, sender: Principal, refusal: RefusedMessage) -> None:
        """Put into the log that a message was refused, and why."""
        usecases.record_refusal(session, self._runtime, Asker(sender, sender.jti), refusal)


def _told(faults: Sequence[Fault]) -> Sequence[Fault]:
    more = len(faults) - FAULTS_TOLD
    if more <= 0:
        return faults
    return [*faults[:FAULTS_TOLD], Fault("OBX", f"and {more} others were not taken", "mend these first", Kind.SEQUENCE)]
