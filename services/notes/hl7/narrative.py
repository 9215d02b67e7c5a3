"""The text of a document, from the OBX segments that hold narrative (rich text too), and its LOINC type."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from services.notes.document_types import DOCUMENT_TYPES
from services.notes.rtf.notes import RTF_START, text_of_rtf
from shared.errors import FieldProblem
from shared.hl7v2.message import Segment
from shared.hl7v2.problems import Fault, Kind, RefusedMessage, fault_at

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
    """Whether an OBX holds text; numbers, codes, references and other files are not kept."""
    return obx.part(2) in NARRATIVE or (obx.part(2) == "ED" and (_is_text(obx) or _is_rtf(obx)))


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
    text = "\n".join(lines)
    # Rich text as TX or FT may be cut into many segments, and is one document all the same.
    return _rtf(text.encode(codec, "replace")) if text.startswith(RTF_START) else text


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


def _is_rtf(obx: Segment) -> bool:
    """Whether encapsulated data is rich text: `TEXT^RTF`, `AP^RTF`, and `RTF` alone, as some send it."""
    kind, subtype = obx.part(5, 2).upper(), obx.part(5, 3).upper()
    return (kind in ("TEXT", "TX", "AP", "APPLICATION") and subtype == "RTF") or (
        kind == "RTF" and subtype in ("", "RTF")
    )


def _encapsulated(obx: Segment, codec: str) -> str:
    parts = obx.raw(5).split(obx.separators.component, 4)
    encoding, data = obx.part(5, 4).upper(), obx.text(5, parts[4]) if len(parts) > 4 else ""
    try:
        content = _decoded(encoding, data)
        if content is None:
            return data
        return _rtf(content) if _is_rtf(obx) else content.decode(codec)
    except (binascii.Error, ValueError):
        problem = "cannot be decoded as its encoding and the character set of the message say"
        raise RefusedMessage(Fault("OBX-5", problem, "send the text itself as TX or FT")) from None


def _decoded(encoding: str, data: str) -> bytes | None:
    """The bytes of Base64 or Hex; None where the data is no bytes but text."""
    if encoding == "BASE64":
        return base64.b64decode("".join(data.split()), validate=True)
    return bytes.fromhex(data) if encoding == "HEX" else None


def _rtf(content: bytes) -> str:
    text = text_of_rtf(content, "OBX-5")
    if isinstance(text, FieldProblem):
        raise RefusedMessage(fault_at("OBX-5", text))
    return text
