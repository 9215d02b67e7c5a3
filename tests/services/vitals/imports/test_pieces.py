"""A file in pieces reads like the file."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vitals.imports import pieces
from shared.blobs import BlobStore, FileBlobs
from shared.digests import digest_bytes


class Memory:
    """A blob store of a test."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def put(self, content: bytes, digest: str | None = None) -> str:
        digest = digest or digest_bytes(content)
        self._known[digest] = content
        return digest

    def get(self, digest: str) -> bytes:
        return self._known[digest]

    def of(self, owner: str, scope: str) -> Memory:
        return self

    def scopes(self, owner: str) -> list[str]:
        return []

    def erase(self, owner: str, scope: str) -> int:
        return 0

    def remove(self, digest: str) -> bool:
        return self._known.pop(digest, None) is not None


def stored(blobs: BlobStore, content: bytes) -> io.BufferedReader:
    size = pieces.PIECE_BYTES
    digests = [blobs.put(content[at : at + size]) for at in range(0, len(content), size)]
    return pieces.open_pieces(blobs, "", pieces.list_pieces(blobs, digests, len(content)))


@given(length=st.integers(0, 4000), moves=st.lists(st.tuples(st.integers(0, 4200), st.integers(0, 900)), max_size=20))
def test_reading_and_seeking_give_the_file_s_bytes(length: int, moves: list[tuple[int, int]]) -> None:
    content = Random(length).randbytes(length)
    with pytest.MonkeyPatch.context() as patch, stored(Memory(), content) as whole:
        assert whole.read() == content
        patch.setattr(pieces, "PIECE_BYTES", 256)
        with stored(Memory(), content) as reader:
            for at, size in moves:
                assert reader.seek(at) == at
                assert reader.read(size) == content[at : at + size]


def test_pieces_are_found_in_a_store_of_files(tmp_path: Path) -> None:
    content = Random(1).randbytes(pieces.PIECE_BYTES + 17)
    with stored(FileBlobs(tmp_path), content) as reader:
        reader.seek(-17, io.SEEK_END)
        assert reader.read() == content[-17:]
