"""Reads the body of `POST /vitals/samples` into a batch: first all bytes, then all lines, and only then the database.

A slow sender must not hold a transaction open, and parsing must not hold the event loop: see ADR 0036.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from services.vitals.domain import Batch, Rejection, Sample
from services.vitals.errors import BodyTooLong, NotASampleMessage
from services.vitals.lines import MAX_LINE_BYTES, TOO_LONG, LineRefused, numbered_lines, read_line
from services.vitals.settings import Settings
from shared.ids import uuid7

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
JSON = "application/json"


def media_type(request: Request) -> str:
    """The Content-Type without parameters. Raises: NotASampleMessage."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON and kind not in NDJSON:
        raise NotASampleMessage
    return kind


async def spool(request: Request, settings: Settings) -> IO[bytes]:
    """The whole body, at its start, in memory or in a file without a name. Raises: BodyTooLong."""
    body = SpooledTemporaryFile(max_size=settings.memory_bytes)  # noqa: SIM115  # the caller closes it
    try:
        async for chunk in request.stream():
            if body.tell() + len(chunk) > settings.memory_bytes:
                await run_in_threadpool(body.write, chunk)
            else:
                body.write(chunk)
    except HTTPException as error:
        body.close()
        raise BodyTooLong(settings.max_body_bytes) from error
    except BaseException:
        body.close()
        raise
    body.seek(0)
    return body


def read_batch(body: IO[bytes], kind: str, now: datetime) -> Batch:
    """All samples of a body, and all lines that are none."""
    digest = hashlib.file_digest(body, "sha256").hexdigest()  # type: ignore[arg-type]  # a spooled file reads like any
    body.seek(0)
    lines, samples, rejected = 0, dict[str, list[Sample]](), list[Rejection]()
    for number, line in _document(body) if kind == JSON else numbered_lines(body, MAX_LINE_BYTES):
        if line.isspace() or not line:
            continue
        lines += 1
        try:
            if len(line) > MAX_LINE_BYTES:
                raise LineRefused(TOO_LONG.field, TOO_LONG.problem, TOO_LONG.fix)
            sample = read_line(line, now)
        except LineRefused as refused:
            rejected.append(Rejection(number, refused.problem))
        else:
            samples.setdefault(sample.patient, []).append(sample)
    return Batch(uuid7(), f"sha256:{digest}", now, lines, samples, rejected)


def _document(body: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    yield 1, body.read(MAX_LINE_BYTES + 1)
