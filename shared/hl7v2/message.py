"""A message's segments, split only where something is asked of them, and the escape sequences in their values.

Splitting everything at once, as the common parsers do, costs hundreds of times the message's size in memory; this is
read from whoever reaches the port.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from shared.hl7v2.charsets import decode
from shared.hl7v2.header import NULL, Header, Separators
from shared.hl7v2.problems import Fault, Kind, RefusedMessage

MAX_SEGMENTS = 20_000
_MAX_FIELDS = 64


@dataclass(frozen=True)
class Escapes:
    """Decodes the escape sequences of one message (HL7 2.7 section 2.7); what is none stays as it stands."""

    separators: Separators
    codec: str

    def decode(self, field: str, value: str) -> str:
        """A value as text. Raises: RefusedMessage: a sequence that changes the character set, or cannot be read."""
        mark = self.separators.escape
        if not mark or mark not in value:
            return value
        return self._sequence.sub(lambda found: self._meaning(field, found[1]), value)

    @cached_property
    def _sequence(self) -> re.Pattern[str]:
        mark = re.escape(self.separators.escape)
        layout = r"\.(?:br|fi|nf|ce|(?:sp|sk|in|ti)[+-]?\d{0,3})"
        return re.compile(rf"{mark}([FSTREHN]|{layout}|X(?:[0-9A-Fa-f]{{2}})+|[CM]\w+){mark}", re.ASCII)

    @cached_property
    def _plain(self) -> dict[str, str]:
        marks = self.separators
        # H and N begin and end highlighting, which plain text has not.
        plain = {"F": marks.field, "S": marks.component, "R": marks.repetition, "E": marks.escape}
        return {**plain, "T": marks.subcomponent, "H": "", "N": ""}

    def _meaning(self, field: str, sequence: str) -> str:
        if sequence in self._plain:
            return self._plain[sequence]
        return self._layout(sequence[1:]) if sequence[0] == "." else self._bytes(field, sequence)

    def _layout(self, command: str) -> str:
        """A formatting command of FT as plain characters (section 2.7.6)."""
        name, number = command[:2], command[2:]
        if name in ("br", "ce"):
            return "\n"
        if name == "sp":
            return "\n" * (1 + int(number or 1))
        return " " * int(number or 1) if name == "sk" else ""

    def _bytes(self, field: str, sequence: str) -> str:
        if sequence[0] != "X":
            problem, fix = "changes the character set inside a value", "send the message in one set, named in MSH-18"
            raise RefusedMessage(Fault(field, problem, fix))
        try:
            return bytes.fromhex(sequence[1:]).decode(self.codec)
        except UnicodeDecodeError:
            problem = "holds bytes in a hexadecimal escape that the character set of the message does not have"
            raise RefusedMessage(Fault(field, problem, "send the characters themselves")) from None


@dataclass(frozen=True)
class Segment:
    """One segment; fields count as in the standard."""

    fields: list[str]
    separators: Separators
    escapes: Escapes

    @property
    def name(self) -> str:
        """Its three characters."""
        return self.fields[0]

    def raw(self, number: int) -> str:
        """A whole field as it was sent; empty where it is absent or null."""
        value = self.fields[number] if number < len(self.fields) else ""
        return "" if value == NULL else value

    def part(self, number: int, component: int = 1) -> str:
        """A component of a field's first repetition, as text."""
        first = self.raw(number).split(self.separators.repetition, 1)[0]
        parts = first.split(self.separators.component, component)
        value = parts[component - 1] if component <= len(parts) else ""
        return "" if value == NULL else self.text(number, value)

    def text(self, number: int, value: str) -> str:
        """A piece of a field as text. Raises: RefusedMessage."""
        return self.escapes.decode(f"{self.name}-{number}", value)

    def repetitions(self, number: int) -> list[str]:
        """The repetitions of a field as texts. Raises: RefusedMessage."""
        raw = self.raw(number)
        values = raw.split(self.separators.repetition)
        has_escapes = self.separators.escape and self.separators.escape in raw
        return [self.text(number, value) for value in values] if has_escapes else values


@dataclass(frozen=True)
class Message:
    """A whole message."""

    header: Header
    codec: str
    segments: list[Segment]
    """All but MSH, in order."""
    body: str
    """Their text, for telling two messages apart."""

    def all(self, name: str) -> Iterator[Segment]:
        """The segments of a name, in order."""
        return (segment for segment in self.segments if segment.name == name)

    def one(self, name: str, *, why: str) -> Segment:
        """The only segment of a name. Raises: RefusedMessage: there is none, or there are several."""
        found = list(self.all(name))
        if len(found) != 1:
            problem = "is missing" if not found else "stands there several times"
            raise RefusedMessage(Fault(name, problem, why, Kind.SEQUENCE))
        return found[0]


def read_message(content: bytes, header: Header, unnamed_charset: str) -> Message:
    """The segments of a message whose header was read. Raises: RefusedMessage."""
    text, codec = decode(content, header, unnamed_charset)
    lines = text.split(header.terminator, MAX_SEGMENTS)
    if len(lines) > MAX_SEGMENTS:
        problem = f"is followed by more than {MAX_SEGMENTS} segments"
        raise RefusedMessage(Fault("MSH", problem, "send one document in a message", Kind.TOO_LONG))
    escapes = Escapes(header.separators, codec)
    rest = [stripped for line in lines[1:] if (stripped := line.strip("\r\n")).strip()]
    return Message(header, codec, list(_segments(rest, header.separators, escapes)), "\r".join(rest))


def _segments(lines: list[str], separators: Separators, escapes: Escapes) -> Iterator[Segment]:
    before = "MSH"
    form = re.compile(r"[A-Z][A-Z0-9]{2}" + re.escape(separators.field))
    for line in lines:
        if not form.match(line) or line.startswith("MSH"):
            # Dropping it could drop a line of the text.
            problem = "is followed by a line that is no segment"
            raise RefusedMessage(Fault(before, problem, "send a line break inside a value as \\.br\\", Kind.SEQUENCE))
        segment = Segment(line.split(separators.field, _MAX_FIELDS), separators, escapes)
        before = segment.name
        yield segment
