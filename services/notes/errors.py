"""What can go wrong in the notes service, by name. No message quotes the note."""

from __future__ import annotations

from shared.errors import (
    AppError,
    BadRequest,
    Conflict,
    FieldProblem,
    InvalidInput,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
)


class NotJson(BadRequest):
    """The body is not a JSON document."""

    slug = "not-json"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The body {problem}.", fields=[FieldProblem("body", problem, "send one JSON object (RFC 8259) in UTF-8")]
        )


class NotADocument(UnsupportedMediaType):
    """The Content-Type is neither JSON nor XML."""

    def __init__(self) -> None:
        problem = "is neither application/json nor that of a CDA document"
        fix = "send JSON with Content-Type: application/json, or a CDA document with application/xml"
        super().__init__(
            "This door takes application/json, and CDA as application/xml.",
            fields=[FieldProblem("Content-Type", problem, fix)],
        )


class BodyTooLong(TooLarge):
    """More bytes than any note."""

    def __init__(self, limit: int) -> None:
        problem = f"is larger than {limit} bytes"
        super().__init__(
            f"The body {problem}.",
            fields=[FieldProblem("body", problem, "send the text of one note, without attachments")],
            headers={"Connection": "close"},
        )


class NoteTooLong(TooLarge):
    """A text longer than this door takes."""

    def __init__(self, limit: int) -> None:
        problem = f"is larger than {limit} bytes in UTF-8"
        super().__init__(
            f"The text {problem}.",
            fields=[FieldProblem("text", problem, "send one note at a time, without attachments")],
        )


class InvalidNote(InvalidInput):
    """A note that is not stored, and everything that is wrong with it."""

    slug = "invalid-note"

    def __init__(self, fields: list[FieldProblem]) -> None:
        named = "; ".join(f"{f.field} {f.problem}" for f in fields)
        super().__init__(f"The note was not stored: {named}.", fields=fields)


class InvalidSearch(InvalidInput):
    """A search that cannot be made."""

    slug = "invalid-search"

    def __init__(self, problem: FieldProblem) -> None:
        super().__init__(f"The search cannot be made: {problem.field} {problem.problem}.", fields=[problem])


class NoteDamaged(AppError):
    """The stored text does not open: it was changed, moved to another note, or its key was lost."""

    slug = "note-damaged"

    def __init__(self) -> None:
        super().__init__("The stored text of this note cannot be read any more; it was changed since.")


class NoSuchNote(NotFound):
    """No stored note has this id."""

    def __init__(self) -> None:
        super().__init__(
            "There is no note with this id.",
            fields=[FieldProblem("id", "is not known", "use the id that POST /notes gave")],
        )


class NoteNotCurrent(Conflict):
    """A note was named that was replaced or cancelled; only one that stands can be replaced, appended to or sent."""

    slug = "note-not-current"

    def __init__(self, field: str, fix: str) -> None:
        problem = "was replaced or cancelled before"
        super().__init__(f"Nothing was stored: {field} {problem}.", fields=[FieldProblem(field, problem, fix)])
