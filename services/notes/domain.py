"""What a note is to this service, and which texts are none: plain frozen data and pure rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.clock import rfc3339
from shared.digests import digest_json
from shared.errors import FieldProblem

# Tab, line feed, form feed and carriage return lay a text out; every other control character belongs to something else.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BASE64_TOKEN = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_BINARY_STARTS = {"%PDF-": "a PDF file", "{\\rtf": "rich text (RTF)", "data:": "a data URI"}
BASE64_LINE = 48
"""Encoders break base64 at 64 or 76 characters; no word of a note is as long as this."""
UNREADABLE_SHARE = 0.01
"""Share of replacement characters above which a text was bytes of another encoding."""


@dataclass(frozen=True)
class NewNote:
    """A note that passed all checks, verbatim."""

    patient: str
    authored: datetime
    type: str
    """LOINC document type."""
    text: str

    @property
    def digest(self) -> str:
        """The content address: equal notes have equal digests, in whatever zone `authored` was written."""
        fields = {"patient": self.patient, "authored": rfc3339(self.authored), "type": self.type, "text": self.text}
        return digest_json(fields)


class Relation(StrEnum):
    """What a new note is to an older one."""

    REPLACES = "replaces"
    APPENDS = "appends"


class NoteStatus(StrEnum):
    """Whether a stored note still stands."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Link:
    """To which older note a new one relates, and how."""

    target_id: str
    relation: Relation


@dataclass(frozen=True)
class Ending:
    """How a note ceased to be current: by the note that took its place, or without one."""

    at: datetime
    """From this time on the note is no evidence: when its replacement was authored, or the cancellation received."""
    by_id: str | None


@dataclass(frozen=True)
class Note:
    """A stored note. It never changes; what became of it later stands beside it."""

    id: str
    digest: str
    content: NewNote
    received_at: datetime
    ending: Ending | None = None
    appends_to: str | None = None
    sealed: bytes | None = field(default=None, repr=False)
    """The text as it is stored, of a note whose `content.text` is empty until it is opened (`texts.with_text`)."""
    stored_characters: int | None = None

    @property
    def characters(self) -> int:
        """How long its text is."""
        return len(self.content.text) if self.stored_characters is None else self.stored_characters

    @property
    def status(self) -> NoteStatus:
        """Whether it still stands."""
        if self.ending is None:
            return NoteStatus.CURRENT
        return NoteStatus.CANCELLED if self.ending.by_id is None else NoteStatus.SUPERSEDED


@dataclass(frozen=True)
class Receipt:
    """What became of a note that was sent."""

    note: Note
    duplicate: bool


def text_problem(text: str) -> FieldProblem | None:
    """Why a text cannot be a clinical note; None if it can."""
    if not any(character.isalnum() for character in text):
        return FieldProblem("text", "is empty", "send the words of the note")
    if found := _SURROGATE.search(text):
        return FieldProblem(
            "text", f"holds half a surrogate pair at character {found.start()}", "send well-formed Unicode"
        )
    if found := _CONTROL.search(text):
        where = f"U+{ord(found[0]):04X} at character {found.start()}"
        return FieldProblem("text", f"holds a control character ({where}): it is binary or wrongly decoded", _PLAIN)
    if kind := _binary_kind(text):
        return FieldProblem("text", f"is {kind}, not text", _PLAIN)
    return None


_PLAIN = "send the note as plain text, or name its `format`; decode attachments and character sets first"


def _binary_kind(text: str) -> str | None:
    for start, kind in _BINARY_STARTS.items():
        if text.startswith(start):
            return kind
    if text.count("\ufffd") > UNREADABLE_SHARE * len(text):
        return "undecodable bytes"
    tokens = text.split()
    if len(tokens[0]) >= BASE64_LINE and all(_is_base64_line(token, tokens) for token in tokens):
        return "base64"
    return None


def _is_base64_line(token: str, tokens: list[str]) -> bool:
    # All lines but the last are full.
    return bool(_BASE64_TOKEN.fullmatch(token)) and (token is tokens[-1] or len(token) == len(tokens[0]))
