"""The body of C2SP `tlog-witness` `add-checkpoint`: the size that the witness knows, a proof, a checkpoint."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from shared.tlog.checkpoint import parse_decimal
from shared.tlog.note import MAX_NOTE_BYTES, NoteError, decode_base64
from shared.tlog.tree import HASH_BYTES

MAX_PROOF_HASHES = 63
MAX_BODY_BYTES = MAX_NOTE_BYTES + 4_000
SIZE_TYPE = "text/x.tlog.size"
"""Content type of a 409 that tells the size which the witness knows."""


@dataclass(frozen=True)
class AddCheckpoint:
    """What a log asks of a witness. Nothing in it is to be believed before it has been checked."""

    old: int
    proof: tuple[bytes, ...]
    note: str


def format_add_checkpoint(request: AddCheckpoint) -> str:
    """The request's body."""
    lines = [f"old {request.old}", *(base64.b64encode(value).decode() for value in request.proof)]
    return "\n".join([*lines, "", request.note])


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read a request's body.

    Raises: NoteError: any deviation from the format.
    """
    if len(body) > MAX_BODY_BYTES:
        raise NoteError(f"more than {MAX_BODY_BYTES} bytes")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteError("not UTF-8") from error
    head, separator, note = text.partition("\n\n")
    first, *proof = head.split("\n")
    if not separator or not first.startswith("old "):
        raise NoteError("a request is `old N`, lines of a proof, an empty line, and a checkpoint")
    if len(proof) > MAX_PROOF_HASHES:
        raise NoteError(f"more than {MAX_PROOF_HASHES} proof hashes")
    hashes = tuple(decode_base64(line) for line in proof)
    if any(len(value) != HASH_BYTES for value in hashes):
        raise NoteError(f"every hash has {HASH_BYTES} bytes")
    return AddCheckpoint(parse_decimal(first[4:]), hashes, note)
