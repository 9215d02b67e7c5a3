"""The NDJSON of `POST /vitals/samples`, as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from services.vitals.checks import LineRefused
from services.vitals.imports.items import Candidate, Item, Refused
from services.vitals.imports.json_records import read_lines
from services.vitals.lines import MAX_LINE_BYTES, TOO_LONG, read_document


def read(source: IO[bytes]) -> Iterator[Item]:
    """The samples of a file, line by line."""
    for place, line in read_lines(source, MAX_LINE_BYTES):
        if len(line) > MAX_LINE_BYTES:
            yield Refused(place, TOO_LONG)
            continue
        try:
            yield Candidate(place, read_document(line))
        except LineRefused as refused:
            yield Refused(place, refused.problem)
