"""Reads the body of `POST /vitals/samples` into a batch: first all bytes, then all lines, and only then the database.

A slow sender must not hold a transaction open, and parsing must not hold the event loop: see ADR 0036.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from io import BytesIO
from itertools import groupby
from operator import itemgetter
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from services.vitals.arrow_stream import read_slices
from services.vitals.blocks import BlockReader, blocks_of
from services.vitals.checks import LineRefused
from services.vitals.columns import ColumnReader
from services.vitals.domain import Batch, Rejection, Sample
from services.vitals.errors import BodyTooLong, NotASampleMessage
from services.vitals.lines import MAX_LINE_BYTES, TOO_LONG, read_line
from services.vitals.settings import Settings
from shared.errors import FieldProblem
from shared.ids import uuid7

if TYPE_CHECKING:
    from pyarrow import RecordBatch

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"
PATIENT = itemgetter(0)
"""Of a sample."""


def media_type(request: Request) -> str:
    """The Content-Type without parameters. Raises: NotASampleMessage."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (JSON, ARROW, *NDJSON):
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
    """All samples of a body, and all lines or rows that are none.

    Raises: NotColumns, TooManyRows, ArrowMissing: of a body in columns.
    """
    digest = hashlib.file_digest(body, "sha256").hexdigest()  # type: ignore[arg-type]  # a spooled file reads like any
    body.seek(0)
    lines = _Lines(now)
    if kind == JSON:
        lines.read_each([body.read(MAX_LINE_BYTES + 1)])
    elif kind == ARROW:
        for rows in read_slices(body):
            lines.read_rows(rows)
    else:
        for block in blocks_of(body):
            lines.read(block)
    return Batch(uuid7(), f"sha256:{digest}", now, lines.count, lines.samples, lines.rejected)


class _Lines:
    """What the lines of a body came to so far."""

    def __init__(self, now: datetime) -> None:
        self.samples, self.rejected = defaultdict[str, list[Sample]](list), list[Rejection]()
        self.count = 0
        """Lines that are not blank."""
        self._now, self._blocks, self._columns, self._passed = now, BlockReader(now), ColumnReader(now), 0

    def read(self, block: bytes) -> None:
        """Whole lines."""
        found = self._blocks.read(block)
        if found is None:
            self.read_each(BytesIO(block))
            return
        self._add(found)
        self.count += len(found)
        self._passed += block.count(b"\n")

    def _add(self, samples: list[Sample]) -> None:
        for patient, same in groupby(samples, PATIENT):
            self.samples[patient] += same

    def read_rows(self, rows: RecordBatch) -> None:
        """A slice of columns, whose rows count as lines."""
        found = self._columns.read(rows)
        self._add([row for row in found if isinstance(row, Sample)])
        places = enumerate(found, self._passed + 1)
        self.rejected += [Rejection(number, row) for number, row in places if isinstance(row, FieldProblem)]
        self._passed += len(found)
        self.count += len(found)

    def read_each(self, lines: Iterable[bytes]) -> None:
        """Lines one by one."""
        for line in lines:
            self._passed += 1
            if line.isspace() or not line:
                continue
            self.count += 1
            try:
                if len(line) > MAX_LINE_BYTES:
                    raise LineRefused(TOO_LONG.field, TOO_LONG.problem, TOO_LONG.fix)
                sample = read_line(line, self._now)
            except LineRefused as refused:
                self.rejected.append(Rejection(self._passed, refused.problem))
            else:
                self.samples[sample.patient].append(sample)
