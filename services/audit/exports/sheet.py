"""Entries as CSV (RFC 4180, UTF-8) for spreadsheets, with the leaf and its proof in base64 in the last columns.

The first row below the names is `manifest`, the last is `end`; what they say stands in their column `leaf`.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import Any

from services.audit.exports import Head
from services.audit.exports.columns import NAMES, TEXTS, TIMES, told
from services.audit.usecases.exports import Proven
from shared.digests import canonical_json

STEERING = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, the full-width forms too (OWASP, CSV Injection)."""


def guarded(cell: str) -> str:
    """A cell that no spreadsheet computes: with an apostrophe before what could begin a formula."""
    return f"'{cell}" if cell.startswith(STEERING) else cell


def csv_row(cells: Sequence[str]) -> bytes:
    """One row, guarded and quoted."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([guarded(cell) for cell in cells])
    return written.getvalue().encode()


def write_csv(head: Head, proven: Iterator[Proven]) -> Iterator[bytes]:
    """The rows. The last holds the number of entries and a digest of all bytes before it."""
    begin = {"manifest": head.manifest, "checkpoint": head.checkpoint}
    first = csv_row(NAMES) + _note("manifest", begin)
    whole, count = hashlib.sha256(first), 0
    yield first
    for one in proven:
        row = _row(one)
        count += 1
        whole.update(row)
        yield row
    yield _note("end", {"end": {"entries": count, "sha256": whole.hexdigest()}})


def _row(proven: Proven) -> bytes:
    entry, hashes = proven
    said = told(entry)
    proof = " ".join(map(_base64, hashes))
    texts = [said[name] or "" for name in (*TIMES, *TEXTS)]
    return csv_row([str(entry.index), *texts, _base64(entry.leaf_hash), _base64(entry.entry), proof])


def _note(name: str, content: dict[str, Any]) -> bytes:
    return csv_row([name, *[""] * (len(NAMES) - 3), _base64(canonical_json(content)), ""])


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
