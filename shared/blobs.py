"""Where bytes too large for a database row live: files on disk, or an S3-compatible store, by URL.

Blobs are content-addressed and never change. `put` returns only when the bytes would survive a power cut.

What belongs to somebody lies in a scope of its own (`of`), which can be erased as a whole: the same bytes of two owners
are two blobs. What was stored before there were scopes lies beside them and is found by its digest as before.
"""

from __future__ import annotations

import contextlib
import copy
import errno
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlparse

from shared.digests import digest_bytes
from shared.errors import AppError, NotFound, Unavailable
from shared.secret_files import from_environment


class BlobStore(Protocol):
    """Content-addressed bytes."""

    def put(self, content: bytes, digest: str | None = None) -> str:
        """Store durably and return the digest; storing the same bytes again costs nothing.

        `digest` is that of the content where the caller has reckoned it already.
        """

    def get(self, digest: str) -> bytes:
        """The bytes of a digest. Raises: NotFound."""

    def of(self, owner: str, scope: str) -> BlobStore:
        """The blobs of one owner in one scope. `get` also finds what was stored before there were scopes.

        `put` into a scope that was erased raises Unavailable: whoever began before the erasure must begin again.
        """

    def scopes(self, owner: str) -> list[str]:
        """The scopes of an owner that hold anything."""

    def erase(self, owner: str, scope: str) -> int:
        """Close a scope for ever and remove what is in it; gives how many blobs that were. Again: what came since."""

    def remove(self, digest: str) -> bool:
        """Remove a blob outside of all scopes; False where there was none."""


TRIES = 10
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")


def _place(owner: str, scope: str) -> str:
    if _NAME.fullmatch(owner) is None or _NAME.fullmatch(scope) is None:
        raise ValueError("owners and scopes of blobs are named with letters, digits and hyphens")
    return f"of/{owner}/{scope}"


def _erased() -> Unavailable:
    return Unavailable("What this belongs to was erased at this moment; nothing was stored. Send it again.")


def _key(digest: str) -> str:
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise NotFound("There is no such blob.")
    return f"{value[:2]}/{value[2:4]}/{value}"


class FileBlobs:
    """Blobs as files: written beside, fsynced, renamed, and the directory fsynced too."""

    def __init__(self, root: Path, place: str = "") -> None:
        self._root, self._place = root, place
        self._directory = root / place
        self._closed = root / f"{place}.closed" if place else None

    def put(self, content: bytes, digest: str | None = None) -> str:
        digest = digest or digest_bytes(content)
        path = self._directory / _key(digest)
        self._check_open(path)
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
            self._check_open(path)
            raise Unavailable("The store has no room or is not writable; nothing was stored.") from error
        # Either this sees that the scope was closed, or whoever closed it after this sees the file.
        self._check_open(path)
        return digest

    def get(self, digest: str) -> bytes:
        try:
            return (self._directory / _key(digest)).read_bytes()
        except FileNotFoundError as error:
            if self._place:
                return FileBlobs(self._root).get(digest)
            raise NotFound("There is no such blob.") from error

    def of(self, owner: str, scope: str) -> FileBlobs:
        return FileBlobs(self._root, _place(owner, scope))

    def scopes(self, owner: str) -> list[str]:
        directory = (self._root / _place(owner, "any")).parent
        found = [path for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []
        return sorted(path.name for path in found if any(names for _, _, names in os.walk(path)))

    def erase(self, owner: str, scope: str) -> int:
        directory = self._root / _place(owner, scope)
        closed = directory.parent / f"{scope}.closed"
        try:
            directory.parent.mkdir(parents=True, exist_ok=True)
            closed.touch()
            _sync_directory(directory.parent)
            return _remove_tree(directory)
        except OSError as error:
            raise Unavailable("The store is not writable; not everything is erased.") from error

    def remove(self, digest: str) -> bool:
        try:
            (self._root / _key(digest)).unlink()
        except FileNotFoundError:
            return False
        return True

    def _check_open(self, path: Path) -> None:
        if self._closed is not None and self._closed.exists():
            path.unlink(missing_ok=True)
            raise _erased()


def _remove_tree(directory: Path) -> int:
    """Remove a directory that others may be storing into or removing too; gives how many files this removed."""
    count = 0
    for _ in range(TRIES):
        for parent, _folders, names in os.walk(directory, topdown=False):
            count += sum(_did(Path(parent, name).unlink) for name in names)
            _did(Path(parent).rmdir)
        if not directory.exists():
            break
    else:
        raise OSError(errno.ENOTEMPTY, "files are still there")
    _sync_directory(directory.parent)
    return count


def _did(remove: Callable[[], None]) -> bool:
    """False where somebody else has removed it already, or has put a last file in."""
    try:
        remove()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
            raise
        return False
    return True


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
        self._store, self._place = from_url(url, config=keys, retry_config={"max_retries": retries}), ""

    def put(self, content: bytes, digest: str | None = None) -> str:
        import obstore

        digest = digest or digest_bytes(content)
        with _answering("The object store is not answering; nothing was stored."):
            obstore.put(self._store, self._name(digest), content)
            if self._place and self._exists(f"{self._place}.closed"):
                obstore.delete(self._store, self._name(digest))
                raise _erased()
        return digest

    def get(self, digest: str) -> bytes:
        import obstore

        with _answering("The object store is not answering."):
            try:
                return bytes(obstore.get(self._store, self._name(digest)).bytes())
            except FileNotFoundError as error:
                if not self._place:
                    raise NotFound("There is no such blob.") from error
            return self._at("").get(digest)

    def of(self, owner: str, scope: str) -> S3Blobs:
        return self._at(_place(owner, scope))

    def scopes(self, owner: str) -> list[str]:
        prefix = _place(owner, "any").removesuffix("any")
        with _answering("The object store is not answering."):
            return sorted({name.removeprefix(prefix).partition("/")[0] for name in self._below(prefix)} - {""})

    def erase(self, owner: str, scope: str) -> int:
        import obstore

        place = _place(owner, scope)
        with _answering("The object store is not answering; not everything is erased."):
            obstore.put(self._store, f"{place}.closed", b"")
            names = self._below(f"{place}/")
            if names:
                obstore.delete(self._store, names)
            return len(names)

    def remove(self, digest: str) -> bool:
        import obstore

        with _answering("The object store is not answering; not everything is erased."):
            found = self._exists(_key(digest))
            if found:
                obstore.delete(self._store, _key(digest))
            return found

    def _at(self, place: str) -> S3Blobs:
        scoped = copy.copy(self)
        scoped._place = place
        return scoped

    def _name(self, digest: str) -> str:
        return f"{self._place}/{_key(digest)}" if self._place else _key(digest)

    def _exists(self, name: str) -> bool:
        import obstore

        try:
            obstore.head(self._store, name)
        except FileNotFoundError:
            return False
        return True

    def _below(self, prefix: str) -> list[str]:
        """Names of blobs below a prefix; the marks of closed scopes are none."""
        import obstore

        listed = (item["path"] for page in obstore.list(self._store, prefix) for item in page)
        return [name for name in listed if not name.endswith(".closed")]


@contextlib.contextmanager
def _answering(otherwise: str) -> Iterator[None]:
    """Turns what the object store raises into `Unavailable`; our own errors pass."""
    try:
        yield
    except AppError:
        raise
    except Exception as error:
        # obstore has no common error class for "the store is not answering"; nothing here is patient data.
        raise Unavailable(otherwise) from error


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
