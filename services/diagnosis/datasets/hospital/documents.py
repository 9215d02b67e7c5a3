"""DocumentReference -> a note in plain text, or why there is none."""

from __future__ import annotations

import base64
import binascii
import codecs
from dataclasses import dataclass
from email.message import Message

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.hospital.elements import instant, items, loinc_codes, part
from services.diagnosis.datasets.hospital.export import Json, Resource

NOTE = "34109-9"
"""The type of a document that does not say its own in LOINC."""
DISCHARGE_SUMMARIES = ("18842-5", "11490-0", "34105-7", "34106-5", "59258-4", "28655-9", "34133-9", "60591-5")
"""They tell how it ended, whatever time they bear."""


@dataclass(frozen=True)
class Document:
    """A note as it was written."""

    id: str
    at: float
    """Seconds since 1970."""
    type: str
    text: str


def note_of(document: Resource) -> Document | str:
    """The note, or why it is left out.

    Raises: DatasetError: text that is damaged or empty, or a time that is none.
    """
    content, place = document.content, document.place
    if content.get("status") != "current" or content.get("docStatus") == "entered-in-error":
        return "document that does not stand"
    attachment = next((found for item in items(content.get("content")) if (found := _plain(item))), None)
    if attachment is None:
        return "document without inline plain text"
    at = instant(place, "attachment.creation", attachment.get("creation"))
    at = at if at is not None else instant(place, "DocumentReference.date", content.get("date"))
    if at is None:
        return "document without a time of day"
    text = _text(place, attachment)
    if not text.strip():
        raise DatasetError(place, "The note is empty.", "Restore its text, or remove the resource.")
    return Document(content["id"], at, next(iter(loinc_codes(content.get("type"))), NOTE), text)


def _plain(item: Json) -> Json | None:
    attachment = part(item, "attachment")
    if not isinstance(attachment, dict) or not isinstance(attachment.get("data"), str):
        return None
    return attachment if _header(attachment).get_content_type() == "text/plain" else None


def _header(attachment: Json) -> Message:
    header = Message()
    # Without a type, a Message says text/plain; an attachment that does not say it is not.
    header["Content-Type"] = str(attachment.get("contentType") or "application/octet-stream")
    return header


def _text(place: Place, attachment: Json) -> str:
    charset = str(_header(attachment).get_param("charset") or "utf-8")
    try:
        # Base64 in FHIR may hold white space between its characters.
        content = base64.b64decode("".join(attachment["data"].split()), validate=True)
        return content.decode(codecs.lookup(charset).name)
    except (binascii.Error, LookupError, UnicodeDecodeError):
        problem = "The attachment is no base64 of text in the charset it names."
        raise DatasetError(place, problem, "Export the text in UTF-8 and base64 (RFC 4648 section 4).") from None
