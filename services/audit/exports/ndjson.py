"""Entries as NDJSON: manifest and checkpoint, an entry with its proof a line, and an end that counts them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from services.audit.exports import Head
from services.audit.schemas import entry_json
from services.audit.usecases.exports import Proven
from shared.digests import canonical_json


def write_ndjson(head: Head, proven: Iterator[Proven]) -> Iterator[bytes]:
    """The lines. The last holds the number of entries and a digest of all lines before it."""
    # Not in canonical order: the manifest is what a reader must meet first.
    first = b'{"manifest":%b,"checkpoint":%b}\n' % (canonical_json(head.manifest), canonical_json(head.checkpoint))
    whole, count = hashlib.sha256(first), 0
    yield first
    for one in proven:
        line = _entry_line(one)
        count += 1
        whole.update(line)
        yield line
    yield canonical_json({"end": {"entries": count, "sha256": whole.hexdigest()}}) + b"\n"


def _entry_line(proven: Proven) -> bytes:
    entry, hashes = proven
    proof = canonical_json([base64.b64encode(value).decode() for value in hashes])
    return entry_json(entry)[:-1] + b',"proof":%b}\n' % proof
