"""The MSH segment, read from the bytes before their character set is known: it names the set itself (MSH-18)."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from shared.hl7v2.problems import Fault, Kind, RefusedMessage

_TERMINATOR = re.compile(r"\r\n|\r|\n")
_MAX_FIELDS = 64
NULL = '""'
"""A field that is there and says nothing (HL7 2.7 section 2.5.3)."""


@dataclass(frozen=True)
class Separators:
    """The five characters of MSH-1 and MSH-2; a message without escapes may leave the last two out."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"

    @property
    def encoding(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent


@dataclass(frozen=True)
class Header:
    """MSH as it was sent: every byte one character, escapes as they are."""

    separators: Separators
    fields: tuple[str, ...]
    terminator: str
    """What ends the segments of this message: CR as the standard says, or LF or CR LF."""
    has_mark: bool = False
    """Whether a byte order mark says that the message is UTF-8."""

    def raw(self, number: int) -> str:
        """A whole field by its number in the standard; empty where it is absent or null."""
        value = self.fields[number] if number < len(self.fields) else ""
        return "" if value == NULL else value

    @property
    def conditions(self) -> tuple[str, str]:
        """On which conditions the sender wants an accept and an application acknowledgement; padding says nothing."""
        return self.raw(15).strip(" "), self.raw(16).strip(" ")

    def part(self, number: int, component: int = 1) -> str:
        """A component of a field's first repetition."""
        parts = self.raw(number).split(self.separators.repetition)[0].split(self.separators.component)
        return parts[component - 1] if component <= len(parts) else ""


UNREADABLE = Header(Separators(), ("MSH", "|"), "\r")
"""What an answer to bytes without a readable header goes by."""


def read_header(content: bytes) -> Header:
    """The header of a message. Raises: RefusedMessage: it has none that can be read."""
    has_mark = content.startswith(codecs.BOM_UTF8)
    start = content.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    line = _TERMINATOR.split(start, maxsplit=1)[0]
    if not re.match(r"MSH[!-/:-@\[-`{-~]", line):
        raise RefusedMessage(_no_header(line))
    fields = line.split(line[3], _MAX_FIELDS)
    separators = _separators(line[3], fields[1])
    found = _TERMINATOR.search(start)
    return Header(separators, ("MSH", line[3], *fields[1:]), found[0] if found else "\r", has_mark)


def _no_header(line: str) -> Fault:
    if line[:3] in ("BHS", "FHS"):
        return Fault("MSH", "is missing: this is a batch", "send each message in a frame of its own", Kind.SEQUENCE)
    return Fault("MSH", "is missing at the start", "begin each frame with the MSH segment", Kind.SEQUENCE)


def _separators(field: str, encoding: str) -> Separators:
    """MSH-1 and MSH-2, of which 2.7 allows a fifth character (truncation), for which nothing here asks."""
    wrong = not re.fullmatch(r"[!-/:-@\[-`{-~]{2,5}", encoding) or len(set(field + encoding)) <= len(encoding)
    if wrong:
        problem = "does not hold two to five different punctuation characters, none of them MSH-1"
        raise RefusedMessage(Fault("MSH-2", problem, "send the usual ^~\\& after MSH|", Kind.DATA_TYPE))
    return Separators(field, *encoding[:2], *(encoding[n : n + 1] for n in (2, 3)))
