"""C2SP `tlog-proof`: one text that proves, without a network, that an entry is in a log.

Our receipts carry the entry itself in the `extra` line. It is not authenticated there: a reader hashes it and
believes it only if the proof leads from that hash to the signed root.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from shared.tlog.checkpoint import Checkpoint, open_checkpoint, parse_decimal
from shared.tlog.note import NoteError, NoteKey, decode_base64
from shared.tlog.tree import leaf_hash, verify_inclusion

HEADER = "c2sp.org/tlog-proof@v1"
MAX_PROOF_HASHES = 63


@dataclass(frozen=True)
class TlogProof:
    """An entry's place in a checkpointed tree. Nothing in it is to be believed before `verify_proof`."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def format_proof(proof: TlogProof) -> str:
    """The receipt's text."""
    extra = [] if proof.extra is None else [f"extra {base64.b64encode(proof.extra).decode()}"]
    hashes = [base64.b64encode(value).decode() for value in proof.hashes]
    return "\n".join([HEADER, *extra, f"index {proof.index}", *hashes, "", proof.checkpoint])


def parse_proof(text: str) -> TlogProof:
    """Read a receipt.

    Raises: NoteError: any deviation from the format.
    """
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != HEADER:
        raise NoteError(f"a proof starts with the line {HEADER} and holds a blank line before the checkpoint")
    extra = decode_base64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise NoteError("the line `index N` is missing")
    index = parse_decimal(lines.pop(0)[6:])
    if len(lines) > MAX_PROOF_HASHES:
        raise NoteError(f"more than {MAX_PROOF_HASHES} proof hashes")
    return TlogProof(index, tuple(decode_base64(line) for line in lines), checkpoint, extra)


def verify_proof(proof: TlogProof, entry: bytes, origin: str, keys: Sequence[NoteKey]) -> Checkpoint:
    """Check the checkpoint's signature and that `entry` is in the log it names; the checkpoint.

    Raises:
        NoteError: the checkpoint is not one of this log.
        ProofError: the entry is not at this index.
    """
    checkpoint = open_checkpoint(proof.checkpoint, origin, keys)
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(entry), proof.hashes, checkpoint.root)
    return checkpoint
