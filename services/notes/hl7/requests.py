"""What a message asks for by its header: which act, and whether this listener takes it at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from services.notes.hl7.header import Header
from services.notes.hl7.problems import Fault, Kind, RefusedMessage


class Act(StrEnum):
    """What becomes of the document in a message (HL7 2.7 section 9.5)."""

    ADD = "add"
    APPEND = "append"
    EDIT = "edit"
    REPLACE = "replace"
    CANCEL = "cancel"
    REPORT = "report"
    """An observation report: new, or in the place of the one known by its order number."""


ACTS = {
    ("MDM", "T02"): Act.ADD,
    ("MDM", "T06"): Act.APPEND,
    ("MDM", "T08"): Act.EDIT,
    ("MDM", "T10"): Act.REPLACE,
    ("MDM", "T11"): Act.CANCEL,
    ("ORU", "R01"): Act.REPORT,
}
ACKNOWLEDGEMENT_TYPES = ("AL", "NE", "ER", "SU")
"""HL7 table 0155: always, never, on errors, on success."""
_TYPES_FIX = "send MDM^T02, T06, T08, T10 or T11, or ORU^R01 with a document"


def read_act(header: Header, processing_ids: str) -> Act:
    """What a message asks for. Raises: RefusedMessage: this listener does not take it."""
    faults = tuple(_faults(header, processing_ids))
    if faults:
        raise RefusedMessage(*faults)
    return ACTS[header.part(9), header.part(9, 2)]


def _faults(header: Header, processing_ids: str) -> Iterator[Fault]:
    kind, event = header.part(9), header.part(9, 2)
    if (kind, event) not in ACTS:
        is_known = kind in {known for known, _ in ACTS}
        problem = "names an event not taken here" if is_known else "names a message type not taken here"
        yield Fault("MSH-9", problem, _TYPES_FIX, Kind.UNSUPPORTED_EVENT if is_known else Kind.UNSUPPORTED_TYPE)
    if not header.raw(10):
        yield Fault("MSH-10", "is empty", "give each message a control id of its own", Kind.MISSING)
    if header.part(11) not in tuple(processing_ids):
        fix = f"send {' or '.join(processing_ids)}, or set CONSILIUM_NOTES_MLLP_PROCESSING_IDS"
        yield Fault("MSH-11", "is no processing id taken here", fix, Kind.UNSUPPORTED_PROCESSING_ID)
    if not re.fullmatch(r"2(\.\d){1,2}", header.part(12)):
        yield Fault("MSH-12", "is no version of HL7 v2", "send 2.3 to 2.8", Kind.UNSUPPORTED_VERSION)
    for number, condition in zip((15, 16), header.conditions, strict=True):
        if condition not in ("", *ACKNOWLEDGEMENT_TYPES):
            fix = f"send one of {', '.join(ACKNOWLEDGEMENT_TYPES)}, or leave MSH-15 and MSH-16 empty"
            yield Fault(f"MSH-{number}", "is no acknowledgement condition", fix, Kind.UNKNOWN_VALUE)
