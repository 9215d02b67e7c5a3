"""What can be wrong with a message: the field, the fix, and the code of HL7 table 0357 that tells its kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.contracts.audit import ConsentBasis
from shared.errors import FieldProblem, InvalidInput
from shared.storing import DENIED


class Kind(StrEnum):
    """HL7 table 0357, message error condition codes."""

    SEQUENCE = "100"
    MISSING = "101"
    DATA_TYPE = "102"
    UNKNOWN_VALUE = "103"
    TOO_LONG = "104"
    UNSUPPORTED_TYPE = "200"
    UNSUPPORTED_EVENT = "201"
    UNSUPPORTED_PROCESSING_ID = "202"
    UNSUPPORTED_VERSION = "203"
    UNKNOWN_KEY = "204"
    DUPLICATE_KEY = "205"
    INTERNAL = "207"


WORDS = {
    Kind.SEQUENCE: "Segment sequence error",
    Kind.MISSING: "Required field missing",
    Kind.DATA_TYPE: "Data type error",
    Kind.UNKNOWN_VALUE: "Table value not found",
    Kind.TOO_LONG: "Value too long",
    Kind.UNSUPPORTED_TYPE: "Unsupported message type",
    Kind.UNSUPPORTED_EVENT: "Unsupported event code",
    Kind.UNSUPPORTED_PROCESSING_ID: "Unsupported processing id",
    Kind.UNSUPPORTED_VERSION: "Unsupported version id",
    Kind.UNKNOWN_KEY: "Unknown key identifier",
    Kind.DUPLICATE_KEY: "Duplicate key identifier",
    Kind.INTERNAL: "Application internal error",
}


@dataclass(frozen=True)
class Fault(FieldProblem):
    """One thing wrong with a message; `field` is a segment and position of our own tables, such as `PID-3`."""

    kind: Kind = Kind.DATA_TYPE
    sequence: int = 1
    """Which of the message's segments of that name it is, from 1."""


class RefusedMessage(InvalidInput):
    """A message that is not taken, and everything that is wrong with it."""

    slug = "invalid-message"

    def __init__(self, *faults: Fault) -> None:
        named = "; ".join(f"{fault.field} {fault.problem}" for fault in faults)
        super().__init__(f"The message was not taken: {named}.", fields=faults)
        self.faults = faults


class StoringRefused(RefusedMessage):
    """A message of a patient whose consents do not let notes be stored."""

    slug = "consent-denies-storing"

    def __init__(self, basis: ConsentBasis) -> None:
        super().__init__(Fault("PID-3", DENIED.problem, DENIED.fix, Kind.INTERNAL))
        self.basis = basis


def fault_at(field: str, found: FieldProblem, kind: Kind = Kind.DATA_TYPE) -> Fault:
    """A problem of a note, told as one of the message's field that held it."""
    return Fault(field, found.problem, found.fix, kind)
