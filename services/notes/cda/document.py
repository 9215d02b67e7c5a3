"""A CDA document as a note: whose it is, when it was written, of which type, and what it says."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element

from services.notes.cda.narrative import body_text
from services.notes.cda.parsing import NAMESPACE, parse_cda
from services.notes.document_types import DOCUMENT_TYPES
from services.notes.domain import NewNote, text_problem
from services.notes.errors import InvalidNote, NoteTooLong
from services.notes.rtf.notes import text_of_rtf
from services.notes.settings import Settings
from shared.errors import FieldProblem
from shared.hl7v2.times import read_hl7_time
from shared.intake import patient_problem

_RTF_TYPES = ("text/rtf", "application/rtf")
LOINC_OID = "2.16.840.1.113883.6.1"
_PATIENT, _TIME, _CODE, _BODY = (
    f"ClinicalDocument.{name}" for name in ("recordTarget", "effectiveTime", "code", "component")
)


@dataclass(frozen=True)
class CdaDocument:
    """What a document says, with everything that is wrong with its header."""

    patients: tuple[str, ...]
    """The extensions of the patient's ids, the first one being the sender's own."""
    authored: datetime | FieldProblem
    type: str | FieldProblem
    text: str
    people: frozenset[str]
    """Who is named in the header, word by word."""

    def to_note(self) -> NewNote:
        """The note, by the document's own header. Raises: InvalidNote."""
        patient = self.patients[0] if self.patients else ""
        found = (patient_problem(patient), self.authored, self.type)
        problems = [one for one in found if isinstance(one, FieldProblem)]
        if problems or isinstance(self.authored, FieldProblem) or isinstance(self.type, FieldProblem):
            raise InvalidNote([_in_header(one) for one in problems])
        return NewNote(patient, self.authored, self.type, self.text)


def read_cda(content: bytes | str, now: datetime, settings: Settings) -> CdaDocument:
    """A document from its bytes, or from its text. Raises: InvalidNote: it is none, or has no text. NoteTooLong."""
    root = parse_cda(content)
    text = _text(root)
    if len(text.encode()) > settings.max_text_bytes:
        raise NoteTooLong(settings.max_text_bytes)
    if problem := text_problem(text):
        raise InvalidNote([FieldProblem(_BODY, problem.problem, problem.fix)])
    stamp = root.find(f"{NAMESPACE}effectiveTime")
    written = stamp.get("value", "") if stamp is not None else ""
    authored = read_hl7_time(_TIME, written, now, None, settings.mllp_zone)
    people = frozenset(word for name in _named(root) for word in name.split())
    return CdaDocument(tuple(_patients(root)), authored, _type(root, settings), text, people)


def _in_header(problem: FieldProblem) -> FieldProblem:
    return FieldProblem(_PATIENT, problem.problem, problem.fix) if problem.field == "patient" else problem


def _patients(root: Element) -> Iterator[str]:
    for one in root.findall(f"{NAMESPACE}recordTarget/{NAMESPACE}patientRole/{NAMESPACE}id"):
        if extension := one.get("extension"):
            yield extension


def _type(root: Element, settings: Settings) -> str | FieldProblem:
    """The LOINC document type: the code, one of its translations, or what the site says of its own code."""
    code = root.find(f"{NAMESPACE}code")
    for coding in [] if code is None else [code, *code.findall(f"{NAMESPACE}translation")]:
        value = coding.get("code", "")
        if coding.get("codeSystem") == LOINC_OID and value in DOCUMENT_TYPES:
            return value
        if coding.get("codeSystem") != LOINC_OID and value in settings.document_codes:
            return settings.document_codes[value]
    fix = "send the LOINC code of a clinical document type, or map the site's code in CONSILIUM_NOTES_DOCUMENT_CODES"
    return FieldProblem(_CODE, "names no document type known here", fix)


def _text(root: Element) -> str:
    structured = root.find(f"{NAMESPACE}component/{NAMESPACE}structuredBody")
    if structured is not None:
        return body_text(structured)
    unstructured = root.find(f"{NAMESPACE}component/{NAMESPACE}nonXMLBody/{NAMESPACE}text")
    if unstructured is None:
        raise InvalidNote([FieldProblem(_BODY, "holds neither sections nor a text", "send a document with a body")])
    return _unstructured(unstructured)


def _unstructured(text: Element) -> str:
    kind = text.get("mediaType", "text/plain")
    if kind not in ("text/plain", *_RTF_TYPES) or text.find(f"{NAMESPACE}reference") is not None:
        problem = "is a nonXMLBody that holds neither plain text nor rich text"
        raise InvalidNote(
            [FieldProblem(_BODY, problem, "send the narrative in sections, or as text/plain or text/rtf")]
        )
    content = (text.text or "").strip().encode() if text.get("representation") != "B64" else _base64(text.text or "")
    if kind in _RTF_TYPES:
        words = text_of_rtf(content, _BODY)
        if isinstance(words, FieldProblem):
            raise InvalidNote([words])
        return words
    try:
        return content.decode("utf-8")
    except ValueError:
        raise _not_base64() from None


def _base64(data: str) -> bytes:
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except ValueError:
        raise _not_base64() from None


def _not_base64() -> InvalidNote:
    return InvalidNote([FieldProblem(_BODY, "is not base64 of UTF-8", "send the text itself")])


def _named(root: Element) -> Iterator[str]:
    """Names and numbers of persons in the header, which is all before the body."""
    for element in root:
        if element.tag != f"{NAMESPACE}component":
            # Organisations have names without parts, of words that any text may hold.
            parts = (part for name in element.iter(f"{NAMESPACE}name") for part in name)
            yield from (part.text or "" for part in parts if part.tag.removeprefix(NAMESPACE) in ("given", "family"))
    yield from _patients(root)
