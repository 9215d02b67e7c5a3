"""The text of a document, from the OBX segments that hold narrative, and its LOINC type."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from services.notes.document_types import DOCUMENT_TYPES
from shared.hl7v2.message import Segment
from shared.hl7v2.problems import Fault, Kind, RefusedMessage

NARRATIVE = ("TX", "FT", "ST")
"""Value types of OBX-2 (HL7 table 0125) whose value is text."""
NOT_STANDING = frozenset("DINOUWX")
"""Result statuses (table 0085) that hand over no text that stands: deleted, wrong, pending, not obtained …"""
DOCUMENT_CODES = {
    "CN": "11488-4",  # Consultation
    "DI": "18748-4",  # Diagnostic imaging
    "DS": "18842-5",  # Discharge summary
    "ED": "34111-5",  # Emergency department report
    "HP": "34117-2",  # History and physical examination
    "OP": "11504-8",  # Operative report
    "PC": "11488-4",  # Psychiatric consultation
    "PH": "34117-2",  # Psychiatric history and physical examination
    "PN": "28570-0",  # Procedure note
    "PR": "11506-3",  # Progress note
    "SP": "11526-1",  # Surgical pathology
    "TS": "67856-5",  # Transfer summary
}
"""Document types of HL7 table 0270 -> LOINC. Autopsies and cardiodiagnostics have no document type here."""


def is_narrative(obx: Segment) -> bool:
    """Whether an OBX holds text; numbers, codes, references and files are not kept."""
    return obx.part(2) in NARRATIVE or (obx.part(2) == "ED" and _is_text(obx))


def narrative(segments: Sequence[Segment], codec: str) -> str:
    """The text of these OBX segments, one line for each segment and each repetition.

    Raises: RefusedMessage: one of them hands over no text that stands, or cannot be decoded.
    """
    lines: list[str] = []
    for obx in segments:
        if obx.part(11) in NOT_STANDING:
            fix = "send texts that stand (F, C, P); withdraw a document with MDM^T11"
            raise RefusedMessage(Fault("OBX-11", "hands over no text that stands", fix, Kind.UNKNOWN_VALUE))
        lines += [_encapsulated(obx, codec)] if obx.part(2) == "ED" else obx.repetitions(5)
    return "\n".join(lines)


def loinc_type(segment: Segment, number: int, site_codes: Mapping[str, str]) -> str | None:
    """The LOINC document type in a coded field, in its first triplet or its alternate one.

    Args:
        site_codes: the site's own codes, in whatever system but LOINC -> LOINC.
    """
    for code, system in ((1, 3), (4, 6)):
        if segment.part(number, system) in ("LN", "") and segment.part(number, code) in DOCUMENT_TYPES:
            return segment.part(number, code)
    for code, system in ((1, 3), (4, 6)):
        if segment.part(number, system) != "LN" and (found := site_codes.get(segment.part(number, code))):
            return found
    return None


def _is_text(obx: Segment) -> bool:
    """Whether encapsulated data is plain text (tables 0191 and 0291)."""
    return obx.part(5, 2).upper() in ("TEXT", "TX") and obx.part(5, 3).upper() in ("", "PLAIN", "TEXT")


def _encapsulated(obx: Segment, codec: str) -> str:
    parts = obx.raw(5).split(obx.separators.component, 4)
    encoding, data = obx.part(5, 4).upper(), obx.text(5, parts[4]) if len(parts) > 4 else ""
    try:
        if encoding == "BASE64":
            return base64.b64decode("".join(data.split()), validate=True).decode(codec)
        if encoding == "HEX":
            return bytes.fromhex(data).decode(codec)
    except (binascii.Error, ValueError):
        problem = "cannot be decoded as its encoding and the character set of the message say"
        raise RefusedMessage(Fault("OBX-5", problem, "send the text itself as TX or FT")) from None
    return data
