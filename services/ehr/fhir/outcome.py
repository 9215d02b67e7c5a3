"""Errors under `/fhir` as OperationOutcome: every problem document of the house is rewritten on its way out."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import PROBLEM_JSON

FHIR_JSON = "application/fhir+json"
PREFIX = "/fhir"
# http://hl7.org/fhir/issue-type, by HTTP status.
ISSUE_TYPES = {
    400: "structure",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "invalid",
    429: "throttled",
    503: "transient",
}


class FhirResponse(JSONResponse):
    """A resource."""

    media_type = FHIR_JSON


_OUTCOME = {
    "title": "OperationOutcome",
    "description": "FHIR R4: why a request was refused, one issue for each element at fault.",
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["severity", "code"],
                "properties": {
                    "severity": {"enum": ["fatal", "error", "warning", "information"]},
                    "code": {"enum": [*sorted(set(ISSUE_TYPES.values())), "exception"]},
                    "diagnostics": {"type": "string"},
                    "expression": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
}


def describe_outcomes(app: FastAPI) -> None:
    """Let the app's OpenAPI document say that FHIR paths refuse with an OperationOutcome."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document["components"]["schemas"]["OperationOutcome"] = _OUTCOME
        for path, operations in document["paths"].items():
            for operation in operations.values() if is_fhir(path) else ():
                for status in operation["responses"]:
                    if status.startswith(("4", "5")):
                        operation["responses"][status] = _response(status)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _response(status: str) -> dict[str, Any]:
    content = {FHIR_JSON: {"schema": {"$ref": "#/components/schemas/OperationOutcome"}}}
    return {"description": HTTPStatus(int(status)).phrase, "content": content}


def operation_outcome(problem: dict[str, Any], status: int) -> dict[str, Any]:
    """The OperationOutcome of a problem document: one issue per field at fault, or one in all."""
    code = ISSUE_TYPES.get(status, "exception")
    issues = [_issue(code, entry) for entry in problem.get("errors", [])]
    plain = {"severity": "error", "code": code, "diagnostics": problem.get("detail") or problem["title"]}
    return {"resourceType": "OperationOutcome", "issue": issues or [plain]}


def _issue(code: str, entry: dict[str, str]) -> dict[str, Any]:
    fix = f"; {entry['fix']}" if entry.get("fix") else ""
    told = f"{entry['field']}: {entry['problem']}{fix}."
    issue: dict[str, Any] = {"severity": "error", "code": code, "diagnostics": told}
    # An expression is FHIRPath: a query parameter is none.
    return {**issue, "expression": [entry["field"]]} if entry["field"][:1].isupper() else issue


class OperationOutcomes:
    """ASGI middleware: problem documents of FHIR paths leave as OperationOutcome."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_fhir(scope["path"]):
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = b""

        async def _send(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start" and _is_problem(message):
                held = message
            elif held is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    await _rewritten(held, body)(scope, receive, send)

        await self._app(scope, receive, _send)


def is_fhir(path: str) -> bool:
    """Whether a path belongs to the FHIR facade."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def _is_problem(start: Message) -> bool:
    content_type: bytes = dict(start["headers"]).get(b"content-type", b"")
    return content_type.startswith(PROBLEM_JSON.encode())


def _rewritten(start: Message, body: bytes) -> Response:
    response = FhirResponse(operation_outcome(json.loads(body), start["status"]), start["status"])
    kept = [(name, value) for name, value in start["headers"] if name not in (b"content-type", b"content-length")]
    response.raw_headers += kept
    return response
