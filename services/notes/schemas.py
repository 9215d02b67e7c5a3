"""What crosses the wire at the notes service."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from services.notes.clinical.analysis import Analysis, Finding
from services.notes.clinical.cues import Flag
from services.notes.clinical.identifiers.span import IdentifierKind
from services.notes.clinical.sections import SectionKind
from services.notes.domain import Note, NoteStatus, Receipt
from shared.contracts.base import Wire


class NoteIn(Wire):
    """`POST /notes`. The finer rules (times, codes, what counts as text) are the domain's."""

    patient: str = Field(description="The identifier the sender uses, 1 to 64 characters (DICOM PatientID).")
    authored: str = Field(description="RFC 3339 time with zone, from 1990 to one hour from now.")
    type: str = Field(description="LOINC code of the document type, such as 34111-5.")
    text: str = Field(
        description="The note as plain text, at most 1 MiB in UTF-8; kept verbatim unless `format` says more."
    )
    replaces: str | None = Field(
        default=None, max_length=64, description="Id of an older note to which this one relates."
    )
    relation: Literal["replaces", "appends"] | None = Field(
        default=None, description="What it is to that note: it takes its place (default) or adds to it."
    )
    format: Literal["plain", "cda", "rtf"] = Field(
        default="plain",
        description="What `text` is: the note itself, a CDA document about `patient`, whose narrative is kept, or rich "
        "text with a character for each byte, of which the words are kept.",
    )
    names: list[Annotated[str, Field(max_length=200)]] = Field(
        default=[],
        max_length=20,
        description="Names of the patient and of authors, to be found in the text. They are not stored.",
    )


class NoteReceipt(Wire):
    """What became of a note: stored now, or the same note was stored before."""

    id: str
    digest: str
    patient: str
    authored: datetime
    type: str
    received_at: datetime
    duplicate: bool

    @classmethod
    def from_domain(cls, receipt: Receipt) -> NoteReceipt:
        """The receipt as the sender sees it."""
        return cls(**_header(receipt.note), duplicate=receipt.duplicate)


class NoteHeading(Wire):
    """A note without its text."""

    id: str
    digest: str
    patient: str
    authored: datetime
    type: str
    received_at: datetime
    status: NoteStatus = NoteStatus.CURRENT
    superseded_by: str | None = None
    """The note that took its place."""
    appends_to: str | None = None
    """The note that it adds to."""

    @classmethod
    def heading_of(cls, note: Note) -> NoteHeading:
        """All that is known of a note but its text."""
        return cls(**_header(note), **_standing(note))


class NoteOut(NoteHeading):
    """A note with its text."""

    text: str

    @classmethod
    def from_domain(cls, note: Note) -> NoteOut:
        """The whole note."""
        return cls(**_header(note), **_standing(note), text=note.content.text)


class SectionOut(Wire):
    """Characters [start, end) of a note; its words begin at `body`, after the heading."""

    start: int
    body: int
    end: int
    kind: SectionKind


class FindingOut(Wire):
    """Characters [start, end) of a note that name a finding. No flag: affirmed, of the patient, now."""

    start: int
    end: int
    finding: str
    negated: bool
    uncertain: bool
    """Suspected, possible, to be ruled out, or spoken of as a condition that may come."""
    family: bool
    """Somebody else's."""
    historical: bool
    section: SectionKind | None

    @classmethod
    def from_domain(cls, found: Finding) -> FindingOut:
        """A finding as the caller sees it."""
        flags = {flag.value: flag in found.flags for flag in Flag}
        return cls(start=found.start, end=found.end, finding=found.name, section=found.section, **flags)


class LanguageOut(Wire):
    """The language of a note: ISO 639-1, or `und` where nothing but English is likely enough."""

    code: str
    probability: float
    """Of the likeliest language."""
    flagged: bool
    """Surely not English: no finding is looked for, and the note is no evidence."""


class IdentifierOut(Wire):
    """Characters [start, end) of a note that identify somebody; the networks are given spaces in their place."""

    start: int
    end: int
    kind: IdentifierKind


class NoteAnalysis(Wire):
    """`GET /notes/{id}/analysis`: what was found in the text of a note."""

    id: str
    digest: str
    version: int
    """Of the rules that found it."""
    sections: list[SectionOut]
    findings: list[FindingOut]
    language: LanguageOut
    identifiers: list[IdentifierOut]

    @classmethod
    def from_domain(cls, note: Note, analysis: Analysis) -> NoteAnalysis:
        """The analysis as the caller sees it."""
        return cls(
            id=note.id,
            digest=note.digest,
            version=analysis.version,
            sections=[SectionOut(start=s.start, body=s.body, end=s.end, kind=s.kind) for s in analysis.sections],
            findings=[FindingOut.from_domain(found) for found in analysis.findings],
            language=LanguageOut(
                code=analysis.language.code,
                probability=analysis.language.probability,
                flagged=analysis.language.is_foreign,
            ),
            identifiers=[IdentifierOut(start=i.start, end=i.end, kind=i.kind) for i in analysis.identifiers],
        )


class NoteSearch(Wire):
    """`POST /notes/search`. A POST, so that the patient stands in no URL."""

    patient: str = Field(min_length=1, max_length=64)
    limit: int = Field(default=50, ge=1, le=200)
    before: str | None = Field(default=None, max_length=64, description="`next` of the page before this one.")


class NotePage(Wire):
    """Notes of a patient, newest first, without their texts."""

    items: list[NoteHeading]
    next: str | None = None
    """Send it as `before` to read on; null when there is no more."""


def _standing(note: Note) -> dict[str, object]:
    by_id = note.ending.by_id if note.ending else None
    return {"status": note.status, "superseded_by": by_id, "appends_to": note.appends_to}


def _header(note: Note) -> dict[str, object]:
    content = note.content
    return {
        "id": note.id,
        "digest": note.digest,
        "patient": content.patient,
        "authored": content.authored,
        "type": content.type,
        "received_at": note.received_at,
    }
