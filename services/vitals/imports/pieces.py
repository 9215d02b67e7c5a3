"""A file of any length in a store of small blobs: pieces, and a list of their digests."""

from __future__ import annotations

import io
import json

from shared.blobs import BlobStore
from shared.erasure import FIRST
from shared.ids import uuid7

PIECE_BYTES = 4 * 2**20
"""Held in memory at a time, once while a file comes and once while it is read."""


def new_owner() -> str:
    """An owner of its own for the pieces of a file: whose it is, is known only when all of it has come."""
    return f"import-{uuid7()}"


def blobs_of(blobs: BlobStore, owner: str) -> BlobStore:
    """Where the pieces of a file lie."""
    return blobs.of(owner, FIRST) if owner else blobs


def pieces_of(blobs: BlobStore, listed: str) -> list[str]:
    """The digests of a file's pieces."""
    digests: list[str] = json.loads(blobs.get(listed))["pieces"]
    return digests


def list_pieces(blobs: BlobStore, digests: list[str], size: int) -> str:
    """Store the list of a file's pieces durably; gives the digest by which `open_pieces` finds it."""
    return blobs.put(json.dumps({"bytes": size, "pieces": digests}, separators=(",", ":")).encode())


def open_pieces(store: BlobStore, owner: str, listed: str) -> io.BufferedReader:
    """The file again, to read and to seek in."""
    blobs = blobs_of(store, owner)
    content = json.loads(blobs.get(listed))
    return io.BufferedReader(_Pieces(blobs, content["pieces"], content["bytes"]), buffer_size=64 * 2**10)


class _Pieces(io.RawIOBase):
    def __init__(self, blobs: BlobStore, digests: list[str], size: int) -> None:
        self._blobs, self._digests, self._size = blobs, digests, size
        self._at, self._held, self._piece = 0, -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("before the start of the file")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands over
        if self._at >= self._size:
            return 0
        number, start = divmod(self._at, PIECE_BYTES)
        if number != self._held:
            self._piece, self._held = self._blobs.get(self._digests[number]), number
        chunk = self._piece[start : start + len(buffer)]
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)
