"""DocumentReference <-> clinical note."""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
from email.message import Message

from services.ehr.domain import ClinicalNote, StoredNote
from services.ehr.fhir.reading import Json, instant, loinc_codes, parse, patient_of, refuse
from shared.codes import LOINC

ATTACHMENT = "DocumentReference.content[0].attachment"
# What the notes service calls its fields, as elements of the resource.
ELEMENTS = {
    "patient": "DocumentReference.subject",
    "authored": f"{ATTACHMENT}.creation",
    "type": "DocumentReference.type",
    "text": f"{ATTACHMENT}.data",
}
STATUS = {"current": "current", "superseded": "superseded", "cancelled": "entered-in-error"}
"""What the notes service says of a note -> DocumentReferenceStatus."""


def to_note(body: object) -> ClinicalNote:
    """Read a current DocumentReference with one inline text attachment.

    Raises: BadRequest, UnusableResource: `fields` names the element.
    """
    resource = parse("DocumentReference", body)
    if resource["status"] != "current":
        refuse("DocumentReference.status", "is not current", "send documents that stand: status `current`")
    attachment = _attachment(resource)
    codes = loinc_codes(resource.get("type"))
    if not codes:
        refuse("DocumentReference.type", "has no LOINC coding", "send the LOINC document type, such as 34109-9")
    return ClinicalNote(
        patient=patient_of(resource),
        authored=instant(f"{ATTACHMENT}.creation", attachment.get("creation") or resource.get("date")),
        type=codes[0],
        text=_text(attachment),
    )


def _attachment(resource: Json) -> Json:
    if len(resource["content"]) != 1:
        refuse("DocumentReference.content", "holds several attachments", "send one DocumentReference per text")
    attachment: Json = resource["content"][0]["attachment"]
    if not attachment.get("data"):
        refuse(f"{ATTACHMENT}.data", "is missing", "send the text inline in base64; this server does not follow `url`")
    return attachment


def _text(attachment: Json) -> str:
    content = _bytes(attachment)
    header = Message()
    header["Content-Type"] = attachment.get("contentType") or ""
    if header.get_content_type() != "text/plain" or "contentType" not in attachment:
        refuse(f"{ATTACHMENT}.contentType", "is not text/plain", "send plain text")
    charset = str(header.get_param("charset") or "utf-8")
    try:
        return content.decode(codecs.lookup(charset).name)
    except (LookupError, UnicodeDecodeError):
        refuse(f"{ATTACHMENT}.data", "is not text in the stated charset", "send UTF-8 text")


def _bytes(attachment: Json) -> bytes:
    try:
        # Base64 in FHIR may hold white space between its characters.
        content = base64.b64decode("".join(str(attachment["data"]).split()), validate=True)
    except (binascii.Error, ValueError):
        refuse(f"{ATTACHMENT}.data", "is not base64", "send the text in base64 (RFC 4648 section 4)")
    if "size" in attachment and attachment["size"] != len(content):
        refuse(f"{ATTACHMENT}.size", "is not the length of the data", "send the bytes before base64, or leave it out")
    # SHA-1 is what FHIR R4 asks for here: it finds accidents, not attackers.
    if "hash" in attachment and attachment["hash"] != _sha1(content):
        refuse(f"{ATTACHMENT}.hash", "is not the hash of the data", "send the data's SHA-1 in base64, or leave it out")
    return content


def _sha1(content: bytes) -> str:
    return base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()


def from_note(stored: StoredNote) -> Json:
    """The DocumentReference of a stored note; its id is the note's."""
    content = stored.note.text.encode()
    return {
        "resourceType": "DocumentReference",
        "id": stored.id,
        "status": STATUS[stored.status],
        "type": {"coding": [{"system": LOINC, "code": stored.note.type}]},
        "subject": {"identifier": {"value": stored.note.patient}},
        "date": stored.note.authored,
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "data": base64.b64encode(content).decode(),
                    "size": len(content),
                    "hash": _sha1(content),
                    "creation": stored.note.authored,
                }
            }
        ],
    }
