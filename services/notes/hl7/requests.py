"""What a message asks for by its header: which act, and whether this listener takes it at all."""

from __future__ import annotations

from enum import StrEnum

from services.notes.settings import Settings
from shared.hl7v2.header import Header
from shared.hl7v2.problems import RefusedMessage
from shared.hl7v2.requests import header_faults


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
_TYPES_FIX = "send MDM^T02, T06, T08, T10 or T11, or ORU^R01 with a document"


def read_act(header: Header, settings: Settings) -> Act:
    """What a message asks for. Raises: RefusedMessage: this listener does not take it."""
    faults = tuple(header_faults(header, settings, ACTS, _TYPES_FIX))
    if faults:
        raise RefusedMessage(*faults)
    return ACTS[header.part(9), header.part(9, 2)]
