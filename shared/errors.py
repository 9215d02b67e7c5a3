"""What can go wrong, by name, and how it is told to the caller (RFC 9457 problem details).

The domain raises an `AppError`; `install_error_handlers` turns it into `application/problem+json` at the edge. Whatever
is not an `AppError` answers 500 without detail, because a message may hold patient data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

import sqlalchemy.exc
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PROBLEM_JSON = "application/problem+json"
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class FieldProblem:
    """One thing wrong with one input: where it stands, what is wrong, how to mend it. Never the value itself."""

    field: str
    problem: str
    fix: str = ""


class AppError(Exception):
    """The root of all expected errors.

    Args:
        detail: a sentence for the caller. It must not hold patient data.
        fields: the inputs at fault.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Unexpected error"
    slug: ClassVar[str] = "unexpected"

    def __init__(
        self,
        detail: str,
        *,
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = tuple(fields)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


class BadRequest(AppError):
    """The bytes cannot be read as what they claim to be."""

    status, title, slug = 400, "Bad request", "bad-request"


class Unauthenticated(AppError):
    """No token, or one that cannot be trusted. The reason is logged, not told (RFC 6750)."""

    status, title, slug = 401, "Authentication needed", "unauthenticated"


class Forbidden(AppError):
    """The caller is known and may not do this."""

    status, title, slug = 403, "Not allowed", "forbidden"


class NotFound(AppError):
    """There is no such thing, or none that the caller may see."""

    status, title, slug = 404, "Not found", "not-found"


class MethodNotAllowed(AppError):
    """The path is there and does not take this method; `Allow` names those it takes."""

    status, title, slug = 405, "Method not allowed", "method-not-allowed"


class NotAcceptable(AppError):
    """None of the media types asked for can be made."""

    status, title, slug = 406, "Not acceptable", "not-acceptable"


class Conflict(AppError):
    """The request is well formed and contradicts what is already stored."""

    status, title, slug = 409, "Conflict", "conflict"


class TooLarge(AppError):
    """More bytes than this door takes."""

    status, title, slug = 413, "Too large", "too-large"


class UnsupportedMediaType(AppError):
    """A content type, SOP class or transfer syntax this door does not take."""

    status, title, slug = 415, "Unsupported media type", "unsupported-media-type"


class InvalidInput(AppError):
    """A malformed request: `fields` says where and how to mend it."""

    status, title, slug = 422, "Invalid input", "invalid-input"


class TooManyRequests(AppError):
    """Come back later: `Retry-After` says when."""

    status, title, slug = 429, "Too many requests", "too-many-requests"


class Unavailable(AppError):
    """Something this needs is not answering. Nothing was lost; the same request may be repeated."""

    status, title, slug = 503, "Temporarily unavailable", "unavailable"


class ConsentUnknown(Unavailable):
    """Nobody knows what the patient's consents permit, so they permit nothing."""

    slug = "consent-unknown"


class CarriedError(HTTPException):
    """An `AppError` raised where FastAPI lets only its own exceptions through: while it reads a body."""

    def __init__(self, carried: AppError) -> None:
        super().__init__(carried.status, carried.detail)
        self.carried = carried


def problem(
    status: int, title: str, detail: str, *, slug: str = "", extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The body of a problem document (RFC 9457 section 3.1)."""
    body: dict[str, Any] = {"type": f"urn:consilium:problem:{slug}" if slug else "about:blank", "title": title}
    return {**body, "status": status, "detail": detail, **(extra or {})}


def problem_response(error: AppError) -> JSONResponse:
    """An `AppError` as its HTTP answer."""
    extra = dict(error.extra)
    if error.fields:
        extra["errors"] = [
            {"field": f.field, "problem": f.problem, **({"fix": f.fix} if f.fix else {})} for f in error.fields
        ]
    body = problem(error.status, error.title, error.detail, slug=error.slug, extra=extra)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
    return JSONResponse(body, error.status, {**headers, **error.headers}, media_type=PROBLEM_JSON)


def fields_of(error: RequestValidationError) -> list[FieldProblem]:
    """Pydantic's complaints without the values it quotes: those may be patient data."""
    found = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"] if part != "body") or "body"
        found.append(FieldProblem(where, str(item["msg"]), _fix_for(str(item["type"]))))
    return found


def _fix_for(kind: str) -> str:
    return {
        "missing": "send this field",
        "extra_forbidden": "leave this field out",
        "json_invalid": "send valid JSON (RFC 8259)",
        "timezone_aware": "send an RFC 3339 time with a zone, such as 2026-01-31T08:00:00Z",
        "datetime_from_date_parsing": "send an RFC 3339 time with a zone, such as 2026-01-31T08:00:00Z",
        "datetime_parsing": "send an RFC 3339 time with a zone, such as 2026-01-31T08:00:00Z",
    }.get(kind, "see /docs for the form of this field")


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error of this app as `application/problem+json`."""

    @app.exception_handler(AppError)
    async def _app_error(_: Request, error: AppError) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        fields = fields_of(error)
        if any(item["type"] == "json_invalid" for item in error.errors()):
            return problem_response(BadRequest("The body is not valid JSON.", fields=fields))
        named = ", ".join(f.field for f in fields)
        return problem_response(InvalidInput(f"The request is malformed at: {named}.", fields=fields))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error, CarriedError):
            return problem_response(error.carried)
        if error.status_code == 400:
            # FastAPI's own word for a body that it cannot even decode.
            field = FieldProblem("body", "cannot be read", "send the content type that the body has, text in UTF-8")
            return problem_response(BadRequest(str(error.detail), fields=[field]))
        title = HTTPStatus(error.status_code).phrase
        body = problem(error.status_code, title, str(error.detail))
        return JSONResponse(body, error.status_code, error.headers, media_type=PROBLEM_JSON)

    app.add_middleware(LastResort)


class LastResort:
    """ASGI middleware: what nobody foresaw answers 500 without detail, and is logged without its message.

    FastAPI's own handler for `Exception` would hand the error on to the server, which logs message and traceback: both
    may hold patient data.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def _send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, _send)
        except Exception as error:
            route = getattr(scope.get("route"), "path", "unmatched")
            log.error(
                "unexpected error", route=route, method=scope["method"], error=type(error).__name__, at=origin_of(error)
            )
            if not started:
                await _answer_to(error)(scope, receive, send)


def _answer_to(error: Exception) -> JSONResponse:
    if isinstance(error, sqlalchemy.exc.OperationalError | sqlalchemy.exc.InterfaceError):
        return problem_response(Unavailable("The database is not answering; nothing was stored."))
    if isinstance(error, sqlalchemy.exc.DataError):
        # PostgreSQL takes no NUL in texts; the doors for evidence say so by field, this is for all the others.
        field = FieldProblem(
            "request", "holds a value that cannot be stored", "leave out NUL and other control characters"
        )
        return problem_response(BadRequest("The request holds a value that cannot be stored.", fields=[field]))
    body = problem(500, "Unexpected error", "The service failed; nothing acknowledged was lost.", slug="unexpected")
    return JSONResponse(body, 500, media_type=PROBLEM_JSON)


def origin_of(error: BaseException) -> str:
    """Where an exception was raised, without its message or any local value: both may hold patient data."""
    trace = error.__traceback__
    where = "unknown"
    while trace is not None:
        where = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where
