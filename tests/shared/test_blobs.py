"""Blobs: what is put can be got, whole, by its digest."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.blobs import FileBlobs, S3Blobs, open_blobs
from shared.digests import digest_bytes
from shared.errors import NotFound, Unavailable
from tests.support.files import files_below


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


def test_two_who_erase_at_once_are_both_answered_when_nothing_is_left(tmp_path: Path) -> None:
    """And who lists the scopes meanwhile gets an answer: directories vanish below their feet."""
    blobs = FileBlobs(tmp_path)
    for number in range(10):
        scope = f"s{number}"
        for n in range(100):
            blobs.of("pat-1", scope).put(b"%d" % n)
        together = Barrier(3)

        def _erase(scope: str = scope, together: Barrier = together) -> list[Path]:
            together.wait()
            blobs.erase("pat-1", scope)
            return files_below(tmp_path / "of" / "pat-1" / scope)

        def _list(together: Barrier = together) -> None:
            together.wait()
            for _ in range(20):
                blobs.scopes("pat-1")

        with ThreadPoolExecutor(3) as pool:
            left, listed = [pool.submit(_erase) for _ in range(2)], pool.submit(_list)
            assert [future.result() for future in left] == [[], []]
            listed.result()
    assert blobs.scopes("pat-1") == []


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """A bucket on a simulated S3 server (moto) that speaks the protocol on a real socket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        settings = {"ENDPOINT": f"http://{host}:{port}", "ALLOW_HTTP": "true", "REGION": "us-east-1"}
        for name, value in {**settings, "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s"}.items():
            patch.setenv(f"AWS_{name}", value)
        httpx.put(f"http://{host}:{port}/bucket", trust_env=False).raise_for_status()
        yield "s3://bucket/blobs"
    server.stop()


def test_s3_keeps_what_is_put(s3_url: str) -> None:
    blobs = open_blobs(s3_url)
    digest = blobs.put(b"a radiograph")
    assert blobs.put(b"a radiograph") == digest
    assert open_blobs(s3_url).get(digest) == b"a radiograph"


def test_s3_says_when_there_is_no_such_blob(s3_url: str) -> None:
    with pytest.raises(NotFound):
        open_blobs(s3_url).get(digest_bytes(b"never stored"))


def test_s3_erases_a_scope_and_takes_nothing_more_into_it(s3_url: str) -> None:
    blobs = open_blobs(s3_url)
    legacy = blobs.put(b"from before")
    before, after = blobs.of("pat-1", "first"), blobs.of("pat-1", "second")
    digest = before.put(b"a film")
    other = before.put(b"another film")
    assert (before.get(digest), before.get(legacy)) == (b"a film", b"from before")
    with pytest.raises(NotFound):
        blobs.get(digest)
    assert blobs.scopes("pat-1") == ["first"]
    assert blobs.erase("pat-1", "first") == 2
    for erased in (digest, other):
        with pytest.raises(NotFound):
            before.get(erased)
    with pytest.raises(Unavailable):
        before.put(b"too late")
    assert blobs.scopes("pat-1") == []
    assert after.put(b"a film") == digest == blobs.of("pat-1", "second").put(b"a film")
    assert (blobs.erase("pat-1", "first"), blobs.scopes("pat-1")) == (0, ["second"])
    assert (blobs.remove(legacy), blobs.remove(legacy)) == (True, False)


def test_a_store_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ENDPOINT": "http://127.0.0.1:9", "ALLOW_HTTP": "true", "ACCESS_KEY_ID": "k"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    blobs = S3Blobs("s3://bucket/x", retries=0)
    with pytest.raises(Unavailable):
        blobs.put(b"x")
