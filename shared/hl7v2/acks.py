"""Acknowledgements: which a sender is owed (HL7 2.7 section 2.9), and how they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from shared.hl7v2.header import Header
from shared.hl7v2.problems import WORDS, Fault


class Verdict(StrEnum):
    """What became of a message: the second letter of the codes of table 0008."""

    ACCEPTED = "A"
    """It is stored, now or before."""
    ERROR = "E"
    """It may be sent again as it is, later."""
    REJECTED = "R"
    """It will never be taken as it is."""


_WANTED = {
    "AL": frozenset(Verdict),
    "NE": frozenset[Verdict](),
    "": frozenset[Verdict](),
    "ER": frozenset({Verdict.ERROR, Verdict.REJECTED}),
    "SU": frozenset({Verdict.ACCEPTED}),
}


def owed(header: Header, verdict: Verdict) -> list[str]:
    """The codes of the acknowledgements to send, in order.

    Original mode (MSH-15 and MSH-16 empty): one application acknowledgement. Enhanced mode: an accept acknowledgement
    where MSH-15 asks for it, then an application acknowledgement where MSH-16 does; none follows a message that was
    not accepted. A condition that table 0155 does not have is read as `AL`.
    """
    accept, application = header.conditions
    if not accept and not application:
        return [f"A{verdict}"]
    everything = frozenset(Verdict)
    codes = [f"C{verdict}"] if verdict in _WANTED.get(accept, everything) else []
    if verdict in _WANTED.get(application, everything) and (verdict is Verdict.ACCEPTED or not codes):
        codes.append(f"A{verdict}")
    return codes


def acknowledgement(header: Header, code: str, faults: Sequence[Fault], now: datetime, control_id: str) -> bytes:
    """One acknowledgement, in the sender's separators, version and character set; faults are its ERR segments.

    Faults beside an accepting code are warnings (table 0516): something of the message was left out.
    The header's fields are given back byte by byte: those of the sender become those of the receiver.
    """
    marks = header.separators
    event = header.part(9, 2)
    kind = marks.component.join(("ACK", event, "ACK") if event else ("ACK",))
    stamp = now.strftime("%Y%m%d%H%M%S+0000")
    head = ["MSH", marks.encoding, *(header.raw(number) for number in (5, 6, 3, 4)), stamp, "", kind]
    head += [control_id, header.raw(11), header.raw(12), "", "", "", "", "", header.raw(18)]
    note = _escaped(header, _sentence(faults[0]))[:80] if faults and _is_before(header, 7) else ""
    severity = "W" if code.endswith(Verdict.ACCEPTED) else "E"
    lines = [head, ["MSA", code, header.raw(10), note], *(_err(header, fault, severity) for fault in faults)]
    joined = (marks.field.join(line).rstrip(marks.field) for line in lines)
    return "".join(line + "\r" for line in joined).encode("latin-1")


def _err(header: Header, fault: Fault, severity: str) -> list[str]:
    """ERR as of 2.5, beside the only field of it that older versions know."""
    marks = header.separators
    segment, _, number = fault.field.partition("-")
    place = (segment, str(fault.sequence), number)
    where = marks.component.join(place).rstrip(marks.component)
    words = _escaped(header, WORDS[fault.kind])
    code = marks.component.join((fault.kind, words, "HL70357"))
    old = ""
    if _is_before(header, 5) and marks.subcomponent:
        old = marks.component.join((*place, marks.subcomponent.join((fault.kind, words, "HL70357"))))
    return ["ERR", old, where, code, severity, "", "", "", _escaped(header, _sentence(fault))]


def _sentence(fault: Fault) -> str:
    return f"{fault.field} {fault.problem}: {fault.fix}"


def _is_before(header: Header, minor: int) -> bool:
    """Whether the sender's version is older than 2.`minor`; one that cannot be read counts as old."""
    found = re.fullmatch(r"2\.(\d)(\.\d)?", header.part(12))
    return found is None or int(found[1]) < minor


def _escaped(header: Header, text: str) -> str:
    """Our own words with the message's separators escaped; without an escape character they become spaces."""
    marks = header.separators
    names = {marks.field: "F", marks.component: "S", marks.repetition: "R", marks.escape: "E", marks.subcomponent: "T"}
    sequence = {mark: f"{marks.escape}{name}{marks.escape}" if marks.escape else " " for mark, name in names.items()}
    return "".join(sequence.get(character, character) for character in text)
