"""What can go wrong at the outside door, by name."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import (
    AppError,
    BadRequest,
    Conflict,
    FieldProblem,
    Forbidden,
    InvalidInput,
    NotAcceptable,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    UnsupportedMediaType,
)


class UnusableResource(InvalidInput):
    """A FHIR resource that is well formed and yet cannot become evidence; `fields` holds FHIRPath expressions."""


class UnsupportedSearch(BadRequest):
    """A search that this server does not offer, or one without a filter."""


class MalformedHook(BadRequest):
    """A CDS Hooks request that breaks the specification: `fields` says where."""

    def __init__(self, fields: Sequence[FieldProblem]) -> None:
        named = ", ".join(f"{f.field} ({f.problem})" for f in fields)
        super().__init__(f"The request breaks CDS Hooks 2.0 at: {named}.", fields=fields)


class UnknownCdsService(NotFound):
    """There is no CDS service of that id; discovery lists those there are."""


BY_STATUS: dict[int, type[AppError]] = {
    kind.status: kind
    for kind in (
        BadRequest,
        Unauthenticated,
        Forbidden,
        NotFound,
        NotAcceptable,
        Conflict,
        TooLarge,
        UnsupportedMediaType,
        InvalidInput,
        TooManyRequests,
    )
}
"""A neighbour's refusal is told to the caller as what it was."""
