"""Records of a JSON file one by one: lines, a list, a Bundle, one document. Memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import ijson

from services.vitals.imports.bounds import AGAIN, MAX_RECORD_BYTES, Bounded, Damaged
from services.vitals.lines import numbered_lines
from shared.errors import FieldProblem
from shared.intake import NotStrictJson, strict_json

LINES, LIST, BUNDLE, DOCUMENT = "lines", "list", "bundle", "document"
_PATHS = {LIST: ("item", "/{}", 0), BUNDLE: ("entry.item", "/entry/{}", 0)}
"""Layout -> where ijson finds the records, and how their place is told (RFC 6901)."""


class Record(NamedTuple):
    """One record, or why it is none."""

    place: str
    value: Any
    problem: FieldProblem | None = None


def read_records(source: IO[bytes], layout: str) -> Iterator[Record]:
    """All records of a file, in order. Where the file is damaged the last one says so."""
    if layout == LINES:
        yield from _lines(source)
    elif layout == DOCUMENT:
        yield _parsed("/", source.read(MAX_RECORD_BYTES + 1), "file")
    else:
        yield from _streamed(source, *_PATHS[layout])


def read_lines(source: IO[bytes], most: int = MAX_RECORD_BYTES) -> Iterator[tuple[str, bytes]]:
    """Lines that are not blank, each with its place; long ones are cut as by `numbered_lines`."""
    for number, line in numbered_lines(source, most):
        if line.strip():
            yield f"line {number}", line


def _lines(source: IO[bytes]) -> Iterator[Record]:
    for place, line in read_lines(source):
        yield _parsed(place, line, "line")


def _parsed(place: str, content: bytes, field: str) -> Record:
    if len(content) > MAX_RECORD_BYTES:
        return Record(place, None, FieldProblem(field, f"is longer than {MAX_RECORD_BYTES} bytes", "split the file"))
    try:
        return Record(place, strict_json(content))
    except NotStrictJson as error:
        return Record(place, None, FieldProblem(field, str(error), "send JSON (RFC 8259) in UTF-8"))


def _streamed(source: IO[bytes], path: str, place: str, count: int) -> Iterator[Record]:
    bounded = Bounded(source)
    try:
        for value in ijson.items(bounded, path, use_float=True):
            bounded.record_ends()
            yield Record(place.format(count), value)
            count += 1
    except Damaged as damage:
        yield Record(place.format(count), None, damage.problem)
    except (ijson.JSONError, ValueError):
        # ijson's words quote the file.
        yield Record(place.format(count), None, FieldProblem("file", "is not JSON from here on", AGAIN))
