"""From a message to the document in it: whose, when written, of which type, and what it is to older ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.notes.domain import NewNote, text_problem
from services.notes.hl7.narrative import DOCUMENT_CODES, is_narrative, loinc_type, narrative
from services.notes.hl7.people import people_of
from services.notes.hl7.requests import Act
from services.notes.settings import Settings
from shared.hl7v2.header import Header
from shared.hl7v2.message import Message, Segment
from shared.hl7v2.once import sender_key
from shared.hl7v2.problems import Fault, Kind, RefusedMessage, fault_at
from shared.hl7v2.times import read_hl7_time, zone_of
from shared.intake import patient_problem

_ONE_TXA = "send MDM messages with one TXA"
_PARENTED = frozenset({Act.APPEND, Act.REPLACE})


@dataclass(frozen=True)
class Document:
    """What a message asks to be done, with everything that was checked without the database."""

    act: Act
    patient: str
    note: NewNote | None
    """None where a document is cancelled."""
    number: str | None
    """The sender's own number of this document, as a digest; a report may have none."""
    parent: str | None
    """That of the document to which it adds or whose place it takes."""
    number_field: str
    """Where the number stood."""
    authored_field: str
    """Where the time stood."""
    people: frozenset[str] = frozenset()
    """Who is named beside the text."""


@dataclass(frozen=True)
class _Content:
    """The segments that belong to one document."""

    txa: Segment | None
    obr: Segment | None
    obx: Sequence[Segment]


def read_document(message: Message, act: Act, settings: Settings, now: datetime) -> Document:
    """The document in a message. Raises: RefusedMessage: `faults` names all that is wrong with it."""
    pid = message.one("PID", why="send one patient in a message")
    patient = pid.part(3)
    faults = [fault_at("PID-3", found, Kind.MISSING)] if (found := patient_problem(patient)) else []
    if act is Act.CANCEL:
        return _cancellation(message, patient, faults)
    content = _report_content(message, settings) if act is Act.REPORT else _document_content(message)
    number, parent, number_field = _numbers(message.header, act, content, faults)
    field, authored = _authored(message, act, content, settings, now)
    type_ = _type(content, settings)
    text = narrative(content.obx, message.codec)
    faults += [one for one in (authored, type_, *_text_faults(text, settings)) if isinstance(one, Fault)]
    if faults or isinstance(authored, Fault) or isinstance(type_, Fault):
        raise RefusedMessage(*faults)
    note = NewNote(patient, authored, type_, text)
    return Document(act, patient, note, number, parent, number_field, field, people_of(message))


def _cancellation(message: Message, patient: str, faults: list[Fault]) -> Document:
    txa = message.one("TXA", why=_ONE_TXA)
    number = _number(message.header, txa, 12, faults)
    if faults:
        raise RefusedMessage(*faults)
    return Document(Act.CANCEL, patient, None, number, None, "TXA-12", "MSH-7")


def _document_content(message: Message) -> _Content:
    texts = [obx for obx in message.all("OBX") if is_narrative(obx)]
    if not texts:
        raise _no_text()
    return _Content(message.one("TXA", why=_ONE_TXA), next(message.all("OBR"), None), texts)


def _report_content(message: Message, settings: Settings) -> _Content:
    """The one order of a report whose results are a document."""
    txa = next(message.all("TXA"), None)
    with_text = [_Content(txa, obr, obx) for obr, obx in _orders(message) if obx]
    found = [content for content in with_text if isinstance(_type(content, settings), str)]
    if not with_text:
        raise _no_text()
    if not found:
        fix = "send the LOINC code of a document type in OBR-4 or OBX-3; results that are no documents are not taken"
        raise RefusedMessage(Fault("OBR-4", "names no document type known here", fix, Kind.UNKNOWN_VALUE))
    if len(found) > 1:
        problem, fix = "begins several documents", "send one document in a message"
        raise RefusedMessage(Fault("OBR", problem, fix, Kind.SEQUENCE))
    return found[0]


def _orders(message: Message) -> Iterator[tuple[Segment, list[Segment]]]:
    """Each OBR with the narrative OBX that follow it."""
    obr: Segment | None = None
    obx: list[Segment] = []
    for segment in message.segments:
        if segment.name == "OBR":
            if obr:
                yield obr, obx
            obr, obx = segment, []
        elif segment.name == "OBX" and is_narrative(segment):
            obx.append(segment)
    if obr:
        yield obr, obx


def _no_text() -> RefusedMessage:
    fix = "send the text as TX, FT or ST, or as ED with plain or rich text"
    return RefusedMessage(Fault("OBX-2", "is nowhere the type of a narrative text", fix, Kind.UNKNOWN_VALUE))


def _numbers(header: Header, act: Act, content: _Content, faults: list[Fault]) -> tuple[str | None, str | None, str]:
    """The keys of the document and of its parent, and the field of the first."""
    if act is not Act.REPORT and content.txa:
        parent = _number(header, content.txa, 13, faults) if act in _PARENTED else None
        return _number(header, content.txa, 12, faults), parent, "TXA-12"
    order = content.obr.raw(3) if content.obr else ""
    code = content.obr.part(4) if content.obr else ""
    return sender_key(header, "OBR-3", f"{order} {code}") if order else None, None, "OBR-3"


def _number(header: Header, txa: Segment, field: int, faults: list[Fault]) -> str | None:
    if not txa.part(field):
        fix = "send the unique number of the document" if field == 12 else "send the number of the older document"
        faults.append(Fault(f"TXA-{field}", "is empty", fix, Kind.MISSING))
    return sender_key(header, "TXA-12", txa.raw(field))


def _authored(
    message: Message, act: Act, content: _Content, settings: Settings, now: datetime
) -> tuple[str, datetime | Fault]:
    """When the text was written: the first of the fields that say so, and its name."""
    for segment, number in _time_fields(act, content):
        repetitions = segment.raw(number).split(message.header.separators.repetition) if segment else [""]
        # Of several edits the last one made the text.
        if segment and (text := repetitions[-1].split(message.header.separators.component)[0]):
            field = f"{segment.name}-{number}"
            offset = zone_of(message.header.part(7))
            return field, read_hl7_time(field, text, now, offset, settings.mllp_zone)
    field = "OBR-22" if act is Act.REPORT else "TXA-6"
    return field, Fault(field, "is empty", "send the time at which the text was written", Kind.MISSING)


def _time_fields(act: Act, content: _Content) -> Iterator[tuple[Segment | None, int]]:
    if act is Act.EDIT:
        yield content.txa, 8
    yield content.txa, 6
    yield content.txa, 4
    yield content.obr, 22
    yield content.obx[0], 14
    yield content.obr, 7


def _type(content: _Content, settings: Settings) -> str | Fault:
    """The LOINC document type: TXA-2, OBX-3 or OBR-4 where one of them is coded in LOINC or in the
    site's own codes, else table 0270.
    """
    coded = [(content.txa, 2), *((obx, 3) for obx in content.obx[:1]), (content.obr, 4)]
    for segment, number in coded:
        if segment and (code := loinc_type(segment, number, settings.document_codes)):
            return code
    if content.txa and (code := DOCUMENT_CODES.get(content.txa.part(2))):
        return code
    fix = f"send a LOINC document type, or one of {', '.join(DOCUMENT_CODES)} (HL7 table 0270)"
    return Fault("TXA-2", "names no document type known here", fix, Kind.UNKNOWN_VALUE)


def _text_faults(text: str, settings: Settings) -> Iterator[Fault]:
    if found := text_problem(text):
        yield fault_at("OBX-5", found)
    if len(text.encode("utf-8", "surrogatepass")) > settings.max_text_bytes:
        problem = f"holds a text of more than {settings.max_text_bytes} bytes in UTF-8"
        yield Fault("OBX-5", problem, "send one note at a time, without attachments", Kind.TOO_LONG)
