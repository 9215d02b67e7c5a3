"""Blobs: what is put can be got, whole, by its digest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.blobs import FileBlobs, open_blobs
from shared.digests import digest_bytes
from shared.errors import NotFound, Unavailable


@given(content=st.binary(max_size=200))
def test_what_is_put_can_be_got(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    blobs = FileBlobs(tmp_path_factory.mktemp("blobs"))
    digest = blobs.put(content)
    assert digest == digest_bytes(content)
    assert blobs.put(content) == digest
    assert blobs.get(digest) == content


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:../../etc/passwd", "md5:" + "0" * 64, "sha256:" + "g" * 64])
def test_no_path_can_be_smuggled_in(tmp_path: Path, digest: str) -> None:
    with pytest.raises(NotFound):
        FileBlobs(tmp_path).get(digest)


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable):
        FileBlobs(tmp_path / "file").put(b"x")


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="file:///"):
        open_blobs("ftp://host/x")
