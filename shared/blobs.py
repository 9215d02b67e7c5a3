"""Where bytes too large for a database row live: files on disk, or an S3-compatible store, by URL.

Blobs are content-addressed and never change. `put` returns only when the bytes would survive a power cut.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlparse

from shared.digests import digest_bytes
from shared.errors import NotFound, Unavailable
from shared.secret_files import from_environment


class BlobStore(Protocol):
    """Content-addressed bytes."""

    def put(self, content: bytes, digest: str | None = None) -> str:
        """Store durably and return the digest; storing the same bytes again costs nothing.

        `digest` is that of the content where the caller has reckoned it already.
        """

    def get(self, digest: str) -> bytes:
        """The bytes of a digest. Raises: NotFound."""


def _key(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise NotFound("There is no such blob.")
    return f"{value[:2]}/{value[2:4]}/{value}"


class FileBlobs:
    """Blobs as files: written beside, fsynced, renamed, and the directory fsynced too."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, content: bytes, digest: str | None = None) -> str:
        digest = digest or digest_bytes(content)
        path = self._root / _key(digest)
        if path.exists():
            return digest
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(file.name, path)
            _sync_directory(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError, UnboundLocalError):
                os.unlink(file.name)
            raise Unavailable("The store has no room or is not writable; nothing was stored.") from error
        return digest

    def get(self, digest: str) -> bytes:
        try:
            return (self._root / _key(digest)).read_bytes()
        except FileNotFoundError as error:
            raise NotFound("There is no such blob.") from error


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class S3Blobs:
    """Blobs in an S3-compatible bucket (`obstore`); the server's 200 is its word that they are durable."""

    def __init__(self, url: str, *, retries: int = 3) -> None:
        from obstore.store import from_url  # only the distributed suite installs it

        secret = from_environment("AWS_SECRET_ACCESS_KEY")
        keys: Any = {"secret_access_key": secret} if secret else None
        self._store = from_url(url, config=keys, retry_config={"max_retries": retries})

    def put(self, content: bytes, digest: str | None = None) -> str:
        import obstore

        digest = digest or digest_bytes(content)
        try:
            obstore.put(self._store, _key(digest), content)
        except Exception as error:
            # obstore has no common error class for "the store is not answering"; nothing here is patient data.
            raise Unavailable("The object store is not answering; nothing was stored.") from error
        return digest

    def get(self, digest: str) -> bytes:
        import obstore

        try:
            return bytes(obstore.get(self._store, _key(digest)).bytes())
        except FileNotFoundError as error:
            raise NotFound("There is no such blob.") from error
        except Exception as error:
            raise Unavailable("The object store is not answering.") from error


def open_blobs(url: str) -> BlobStore:
    """The blob store a URL names.

    Raises: ValueError: a scheme other than `file` or `s3`.
    """
    parts = urlparse(url)
    if parts.scheme == "file":
        return FileBlobs(Path(parts.path))
    if parts.scheme == "s3":
        return S3Blobs(url)
    raise ValueError(f"blob store {parts.scheme!r} is not known: use file:///dir or s3://bucket/prefix")
