"""What can go wrong in the vitals service, by name. No message quotes a measurement."""

from __future__ import annotations

from typing import Any

from shared.errors import AppError, FieldProblem, InvalidInput, NotFound, TooLarge, UnsupportedMediaType


class NotASampleMessage(UnsupportedMediaType):
    """The Content-Type is none of NDJSON, JSON and Arrow."""

    def __init__(self) -> None:
        problem = "is neither application/x-ndjson nor application/json nor application/vnd.apache.arrow.stream"
        fix = "send NDJSON with application/x-ndjson"
        super().__init__("This door takes NDJSON.", fields=[FieldProblem("Content-Type", problem, fix)])


class ArrowMissing(UnsupportedMediaType):
    """Columns, and no library that reads them."""

    def __init__(self) -> None:
        problem, fix = "asks for pyarrow, which is not installed", "install consilium[arrow] here, or send NDJSON"
        super().__init__("This service cannot read Arrow.", fields=[FieldProblem("Content-Type", problem, fix)])


class NotColumns(InvalidInput):
    """Columns that are no samples, or bytes that are no columns."""

    slug = "invalid-columns"

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"The columns are not taken: {field} {problem}.", fields=[FieldProblem(field, problem, fix)])


class TooManyRows(TooLarge):
    """More rows than this door takes at once."""

    def __init__(self, limit: int) -> None:
        problem = f"holds more than {limit} rows"
        fields = [FieldProblem("body", problem, "send the samples in several requests")]
        super().__init__(f"The body {problem}.", fields=fields)


class BodyTooLong(TooLarge):
    """More bytes than this door takes at once."""

    def __init__(self, limit: int) -> None:
        problem = f"is larger than {limit} bytes"
        fields = [FieldProblem("body", problem, "send the samples in several requests")]
        super().__init__(f"The body {problem}.", fields=fields, headers={"Connection": "close"})


class NothingTaken(InvalidInput):
    """No line of the body is a sample that can be stored."""

    slug = "no-sample-taken"

    def __init__(self, detail: str, fields: list[FieldProblem], extra: dict[str, Any]) -> None:
        super().__init__(detail, fields=fields, extra=extra)


class InvalidSearch(InvalidInput):
    """A search that cannot be made."""

    slug = "invalid-search"

    def __init__(self, problem: FieldProblem) -> None:
        super().__init__(f"The search cannot be made: {problem.field} {problem.problem}.", fields=[problem])


class NotAnImport(InvalidInput):
    """A file that cannot be imported, or a request that does not say how."""

    slug = "not-an-import"

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"The file is not taken: {field} {problem}.", fields=[FieldProblem(field, problem, fix)])


class NotAForm(UnsupportedMediaType):
    """The Content-Type is not that of a form with a file."""

    def __init__(self) -> None:
        problem, fix = "is not multipart/form-data", "send a form with the file as `file`"
        super().__init__("This door takes a form.", fields=[FieldProblem("Content-Type", problem, fix)])


class NoSuchImport(NotFound):
    """No import has this id."""

    def __init__(self) -> None:
        problem = FieldProblem("id", "is not known", "use the Location that POST /vitals/imports gave")
        super().__init__("There is no import with this id.", fields=[problem])


class NoSuchWindow(NotFound):
    """No frozen window has this id."""

    def __init__(self) -> None:
        problem = FieldProblem("id", "is not known", "use an id that the list of evidence gave")
        super().__init__("There is no vitals window with this id.", fields=[problem])


class WindowDamaged(AppError):
    """The blob store gave other bytes than were frozen."""

    slug = "window-damaged"

    def __init__(self) -> None:
        super().__init__("The stored content of this window is not what was frozen.")
