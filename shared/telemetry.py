"""Structured logs and Prometheus metrics that carry no patient data: routes by template, never by URL."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import suppress
from typing import TextIO, cast

import structlog
from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.ids import uuid7

REQUESTS = Counter("consilium_http_requests_total", "HTTP requests answered.", ["service", "method", "route", "status"])
SECONDS = Histogram(
    "consilium_http_request_seconds", "Seconds until the answer was sent.", ["service", "method", "route"]
)

log = structlog.get_logger(__name__)


class LossyStream:
    """A text stream whose writing never fails: on a full disk a line is lost, and not the answer that it tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """All of the text, or silently nothing."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As far as that can be done."""
        with suppress(OSError):
            self._stream.flush()


def configure_logging(level: str = "INFO") -> None:
    """JSON lines on stderr for our own events; libraries may speak only when something is wrong."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for chatty in ("uvicorn.access", "httpx", "pynetdicom", "pydicom", "alembic"):
        # Access logs hold URLs, DICOM logs hold attribute values: both may name a patient.
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, LossyStream(sys.stderr))),
    )


class Instrumented:
    """ASGI middleware: count and time requests by route template, and give each a request id (`X-Request-Id`)."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 500

        async def _send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, _send)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            REQUESTS.labels(self._service, scope["method"], route, status).inc()
            SECONDS.labels(self._service, scope["method"], route).observe(time.perf_counter() - started)


def _request_id(scope: Scope) -> str:
    """The caller's own id where it is harmless to log, else a new one."""
    sent = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
    return sent if 0 < len(sent) <= 64 and sent.replace("-", "").isalnum() else uuid7()


def metrics_response() -> Response:
    """All metrics of this process in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
