"""A blob store whose scopes are encrypted, each under a data key of its own.

Blobs keep their addresses: the digest of what was put. What was stored before there were keys is read as it is.
"""

from __future__ import annotations

from shared.blobs import BlobStore
from shared.digests import digest_bytes
from shared.errors import NotFound, Unavailable
from shared.keys.sealing import CannotOpen, is_sealed, open_sealed, seal
from shared.keys.store import KeyDestroyed, KeyStore, place_of


class BlobDamaged(Unavailable):
    """The stored bytes do not open under the key of their place: they were changed, moved, or their key was."""

    slug = "blob-damaged"


class SealedBlobs:
    """Wraps another store; `place` is that of the scope, empty outside of all."""

    def __init__(self, inner: BlobStore, keys: KeyStore, place: str = "") -> None:
        self._inner, self._keys, self._place = inner, keys, place

    def put(self, content: bytes, digest: str | None = None) -> str:
        digest = digest or digest_bytes(content)
        if not self._place:
            return self._inner.put(content, digest)
        try:
            key = self._keys.key_for(self._place)
        except KeyDestroyed as error:
            raise Unavailable("What this belongs to was erased; nothing was stored. Send it again.") from error
        return self._inner.put(seal(key, content, self._address(digest)), digest)

    def get(self, digest: str) -> bytes:
        content = self._inner.get(digest)
        if not is_sealed(content):
            return content
        try:
            key = self._keys.key_of(self._place)
            if key is None:
                raise BlobDamaged("A stored blob has no key.")
            return open_sealed(key, content, self._address(digest))
        except KeyDestroyed as error:
            raise NotFound("There is no such blob.") from error
        except CannotOpen as error:
            raise BlobDamaged("A stored blob does not open under its key.") from error

    def of(self, owner: str, scope: str) -> SealedBlobs:
        return SealedBlobs(self._inner.of(owner, scope), self._keys, place_of(owner, scope))

    def scopes(self, owner: str) -> list[str]:
        return self._inner.scopes(owner)

    def erase(self, owner: str, scope: str) -> int:
        # The key first: from then on no copy can be read, whatever becomes of the rest.
        self._keys.destroy(place_of(owner, scope))
        return self._inner.erase(owner, scope)

    def remove(self, digest: str) -> bool:
        return self._inner.remove(digest)

    def _address(self, digest: str) -> str:
        return f"{self._place}/{digest}"
