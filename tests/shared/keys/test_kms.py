"""Data keys wrapped by a key management service: moto's, which speaks the protocol of AWS KMS on a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from shared.blobs import FileBlobs
from shared.errors import Unavailable
from shared.keys import kms
from shared.keys.blobs import SealedBlobs
from shared.keys.kms import KmsKeyWrapper
from shared.keys.rewrapping import Rewrapped, rewrap
from shared.keys.store import KeyStore
from shared.keys.wrapping import CannotUnwrap, FileKeyWrapper, open_wrapper

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedMotoServer]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def service(server: ThreadedMotoServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A client of the service, as which its administrator speaks; ours is told of it by the environment."""
    host, port = server.get_host_and_port()
    (tmp_path / "aws.key").write_text("s")
    (tmp_path / "aws.key").chmod(0o600)
    settings = {"ENDPOINT_URL_KMS": f"http://{host}:{port}", "REGION": "us-east-1", "DEFAULT_REGION": "us-east-1"}
    for name, value in {**settings, "ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY_FILE": str(tmp_path / "aws.key")}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    client = boto3.client("kms", aws_access_key_id="admin", aws_secret_access_key="s")
    yield client
    client.close()


def _new_key(service: Any) -> str:
    return str(service.create_key()["KeyMetadata"]["KeyId"])


def test_a_key_is_wrapped_and_unwrapped_for_its_place_alone(service: Any) -> None:
    wrapper = KmsKeyWrapper(_new_key(service))
    wrapped = wrapper.wrap(KEY, "a/first")
    assert KEY not in wrapped
    assert wrapper.unwrap(wrapped, "a/first") == KEY
    with pytest.raises(CannotUnwrap):
        wrapper.unwrap(wrapped, "b/first")


def test_another_key_of_the_service_and_changed_bytes_open_nothing(service: Any) -> None:
    wrapper = KmsKeyWrapper(_new_key(service))
    wrapped = wrapper.wrap(KEY, "a/first")
    # AWS calls it an incorrect key, this server a denied access.
    with pytest.raises((CannotUnwrap, Unavailable)):
        KmsKeyWrapper(_new_key(service)).unwrap(wrapped, "a/first")
    with pytest.raises(CannotUnwrap):
        wrapper.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), "a/first")


def test_a_key_that_is_not_there_is_told_without_what_was_sent(service: Any) -> None:
    with pytest.raises(Unavailable, match="refuses") as refused:
        KmsKeyWrapper("alias/none").wrap(KEY, "imaging-pat-1/first")
    assert "pat-1" not in str(refused.value)


def test_a_service_that_does_not_answer_is_unavailable(service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kms, "TRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="not answering"):
        KmsKeyWrapper("any").wrap(KEY, "a/first")


def test_blobs_are_sealed_under_it_and_gone_with_their_key(service: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys/keys.db"
    keys = KeyStore(url, open_wrapper(None, _new_key(service)))
    blobs = SealedBlobs(FileBlobs(tmp_path / "blobs"), keys)
    digest = blobs.of("pat-1", "first").put(b"a film")
    other = KeyStore(url, open_wrapper(None, _new_key(service)))
    assert blobs.of("pat-1", "first").get(digest) == b"a film"
    with pytest.raises((CannotUnwrap, Unavailable)):
        SealedBlobs(FileBlobs(tmp_path / "blobs"), other).of("pat-1", "first").get(digest)
    blobs.erase("pat-1", "first")
    assert keys.key_of("pat-1/second") is None
    for store in (keys, other):
        store.close()


def test_keys_move_from_a_file_into_the_service_to_another_of_its_keys_and_back(service: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'k.db'}"
    file, first, second = FileKeyWrapper(KEY), KmsKeyWrapper(_new_key(service)), KmsKeyWrapper(_new_key(service))
    key = KeyStore(url, file).key_for("a/first")
    for old, new in ((file, first), (first, second), (second, file)):
        assert rewrap(url, old, new) == Rewrapped(1, 0)
        assert rewrap(url, old, new) == Rewrapped(0, 1)
        store = KeyStore(url, new)
        assert store.key_of("a/first") == key
        store.close()
