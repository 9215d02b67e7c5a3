"""Data keys leave memory only wrapped under a key that encrypts keys: in a file, or in a key management service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.secret_files import read_secret

KEY_BYTES = 32
NONCE_BYTES = 12


class CannotUnwrap(Exception):
    """A data key was wrapped under another key, for another place, or was changed."""


class KeyWrapper(Protocol):
    """Wraps data keys, each bound to the place that it is for."""

    def wrap(self, key: bytes, place: str) -> bytes:
        """The key, to be stored anywhere."""

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        """The key again. Raises: CannotUnwrap."""


class FileKeyWrapper:
    """AES-256-GCM (NIST SP 800-38D) under 32 bytes from a file.

    Raises: ValueError: the key has another length.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key that encrypts keys needs {KEY_BYTES} bytes, this one has {len(key)}")
        self._cipher = AESGCM(key)

    @classmethod
    def from_file(cls, path: Path) -> FileKeyWrapper:
        """Read the key from a file of hex digits. Raises: ValueError: it holds no key."""
        return cls(bytes.fromhex(read_secret(path)))

    def wrap(self, key: bytes, place: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, place.encode())

    def unwrap(self, wrapped: bytes, place: str) -> bytes:
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], place.encode())
        except InvalidTag as error:
            raise CannotUnwrap("a data key cannot be unwrapped with this key") from error


def open_wrapper(file: Path | None, kms_key: str | None) -> KeyWrapper:
    """What wraps data keys here. Raises: ValueError: neither or both are configured, or the file holds no key."""
    if bool(file) == bool(kms_key):
        raise ValueError(
            "set either CONSILIUM_KEY_ENCRYPTION_KEY_FILE to a file with 64 hex digits, or "
            "CONSILIUM_KEY_ENCRYPTION_KMS_KEY to a key of a key management service"
        )
    if file is not None:
        return FileKeyWrapper.from_file(file)
    from shared.keys.kms import KmsKeyWrapper

    return KmsKeyWrapper(str(kms_key))
