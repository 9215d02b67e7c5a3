"""DocumentReference <-> clinical note."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from services.ehr.domain import ClinicalNote, StoredNote
from services.ehr.fhir.attachments import ATTACHMENT, Fetch, read_attachment, sha1_of
from services.ehr.fhir.reading import Json, instant, loinc_codes, parse, patient_of, refuse
from shared.codes import LOINC

_PERSONS = frozenset({"Patient", "Practitioner", "RelatedPerson"})
_MOST_NAMES, _LONGEST_NAME = 20, 200
# What the notes service calls its fields, as elements of the resource.
ELEMENTS = {
    "patient": "DocumentReference.subject",
    "authored": f"{ATTACHMENT}.creation",
    "type": "DocumentReference.type",
    "text": f"{ATTACHMENT}.data",
}
STATUS = {"current": "current", "superseded": "superseded", "cancelled": "entered-in-error"}
"""What the notes service says of a note -> DocumentReferenceStatus."""


_CONTENT_TYPE = {"plain": "text/plain; charset=utf-8", "cda": "application/cda+xml", "rtf": "text/rtf"}


def to_note(body: object, fetch: Fetch) -> ClinicalNote:
    """Read a current DocumentReference with one attachment of text, inline or to be fetched.

    Raises: BadRequest, UnusableResource: `fields` names the element. Unavailable: it cannot be fetched now.
    """
    resource = parse("DocumentReference", body)
    if resource["status"] != "current":
        refuse("DocumentReference.status", "is not current", "send documents that stand: status `current`")
    attachment = _attachment(resource)
    codes = loinc_codes(resource.get("type"))
    if not codes:
        refuse("DocumentReference.type", "has no LOINC coding", "send the LOINC document type, such as 34109-9")
    patient = patient_of(resource)
    authored = instant(f"{ATTACHMENT}.creation", attachment.get("creation") or resource.get("date"))
    # The last step: whatever else is wrong is found without asking another server.
    text, form = read_attachment(attachment, fetch)
    names = [name[:_LONGEST_NAME] for name in _names(resource) if name.strip()][:_MOST_NAMES]
    return ClinicalNote(patient, authored, codes[0], text, form, tuple(names))


def _attachment(resource: Json) -> Json:
    if len(resource["content"]) != 1:
        refuse("DocumentReference.content", "holds several attachments", "send one DocumentReference per text")
    attachment: Json = resource["content"][0]["attachment"]
    return attachment


def _names(resource: Json) -> Iterator[str]:
    """The names of persons that stand beside the text: there they name the same persons."""
    for element in ("subject", "author", "authenticator"):
        found = resource.get(element) or []
        for reference in found if isinstance(found, list) else [found]:
            yield reference.get("display") or ""
    for contained in resource.get("contained") or []:
        for name in contained.get("name") or [] if contained.get("resourceType") in _PERSONS else []:
            yield " ".join([*(name.get("given") or []), name.get("family") or ""])


def from_note(stored: StoredNote) -> Json:
    """The DocumentReference of a stored note; its id is the note's."""
    content = stored.note.text.encode("latin-1" if stored.note.format == "rtf" else "utf-8")
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
                    "contentType": _CONTENT_TYPE[stored.note.format],
                    "data": base64.b64encode(content).decode(),
                    "size": len(content),
                    "hash": sha1_of(content),
                    "creation": stored.note.authored,
                }
            }
        ],
    }
