"""C2SP checkpoints: a note whose text is the log's origin, its size and its root hash."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.tlog.note import NoteError, NoteKey, decode_base64, open_note
from shared.tlog.tree import HASH_BYTES

DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True)
class Checkpoint:
    """The state of one log: `size` leaves under `root`."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note text. No extension lines: nobody could audit them."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class CheckpointSigner(Protocol):
    """Signs checkpoints, with one key or several."""

    @property
    def verifier_keys(self) -> Sequence[NoteKey]:
        """Every key that signs."""
        ...

    def sign(self, text: str) -> str:
        """The whole note."""
        ...


def sign_checkpoint(checkpoint: Checkpoint, signer: CheckpointSigner) -> str:
    """The signed note of a checkpoint."""
    return signer.sign(checkpoint.text)


def parse_checkpoint_text(text: str) -> Checkpoint:
    """Read a checkpoint's note text, whose signature the caller has verified.

    Raises: NoteError: any deviation from the format.
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() != "" or not all(lines):
        raise NoteError("a checkpoint has three or more lines, none empty, each ended by a newline")
    origin, size, root = lines[:3]
    digest = decode_base64(root)
    if len(digest) != HASH_BYTES:
        raise NoteError(f"a root hash has {HASH_BYTES} bytes")
    return Checkpoint(origin, parse_decimal(size), digest)


def open_checkpoint(note: str | bytes, origin: str, keys: Sequence[NoteKey]) -> Checkpoint:
    """The checkpoint in a note that the log of this origin signed with one of these keys.

    Raises: NoteError: malformed, not signed, or of another log.
    """
    checkpoint = parse_checkpoint_text(open_note(note, keys).text)
    if checkpoint.origin != origin:
        raise NoteError("this checkpoint is of another log")
    return checkpoint


def parse_decimal(text: str) -> int:
    """An ASCII decimal without sign, spaces or leading zeroes. Raises: NoteError."""
    if DECIMAL.fullmatch(text) is None:
        raise NoteError("a number has ASCII digits only, and no leading zero")
    return int(text)
