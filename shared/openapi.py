"""What OpenAPI says of every operation beside what its route states: who may ask, and how it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from shared.access import admitted
from shared.errors import (
    PROBLEM_JSON,
    AppError,
    BadRequest,
    Conflict,
    Forbidden,
    InvalidInput,
    NotAcceptable,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)

_KINDS: tuple[type[AppError], ...] = (
    BadRequest, Unauthenticated, Forbidden, NotFound, NotAcceptable, Conflict, TooLarge, UnsupportedMediaType,
    InvalidInput, TooManyRequests, Unavailable,
)  # fmt: skip
_GENERATED = ("HTTPValidationError", "ValidationError")
"""FastAPI's own form of a 422, which no service here answers."""
_PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457: why a request was refused. `errors` names the inputs at fault, and how to mend them.",
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {name: {"type": "string"} for name in ("field", "problem", "fix")},
            },
        },
    },
}
Answers = dict[int | str, dict[str, Any]]


def refusals(*kinds: type[AppError]) -> Answers:
    """`responses` of a route that refuses in these ways beside those that every route of its form has."""
    return {kind.status: {"$ref": f"#/components/responses/{kind.__name__}"} for kind in kinds}


def describe_access_and_refusals(app: FastAPI) -> None:
    """Let the app's OpenAPI document say who may call each operation, and which problems it answers.

    A route's own `responses` stand. Roles are those of a security requirement, one alternative for each (OpenAPI 3.1,
    Security Requirement Object).
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            for route in iter_route_contexts(app.routes):
                for method in route.methods or ():
                    if operation := document["paths"].get(route.path_format, {}).get(method.lower()):
                        _complete(operation, route.dependant)
            components = document.setdefault("components", {})
            schemas = components.setdefault("schemas", {})
            for name in _GENERATED:
                schemas.pop(name, None)
            schemas["Problem"] = _PROBLEM
            components["responses"] = {kind.__name__: _response(kind) for kind in _KINDS}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _complete(operation: dict[str, Any], dependant: Dependant) -> None:
    operation["security"] = _security(dependant)
    answers = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    for status, response in refusals(*_usual(operation)).items():
        answers.setdefault(str(status), response)


def _usual(operation: dict[str, Any]) -> Iterator[type[AppError]]:
    """How an operation of this form may refuse."""
    parameters, body = operation.get("parameters", []), "requestBody" in operation
    yield Unavailable
    if operation["security"]:
        yield from (Unauthenticated, Forbidden, TooManyRequests)
    if parameters or body:
        yield from (BadRequest, InvalidInput)
    if body or any(one["in"] == "path" for one in parameters):
        yield NotFound
    if body:
        yield TooLarge


def _security(dependant: Dependant) -> list[dict[str, list[str]]]:
    return [{"bearer": [role]} for role in sorted(admitted(dependant) or ())]


def _response(kind: type[AppError]) -> dict[str, Any]:
    content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": (kind.__doc__ or kind.title).split("\n", 1)[0], "content": content}
