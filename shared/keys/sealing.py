"""Sealed bytes: AES-256-GCM with a commitment to the key.

AES-GCM alone does not commit: one ciphertext can be made that opens under two keys, each to another text (Dodis et al.,
"Fast Message Franking", CRYPTO 2018). So each message is encrypted under a key of its own, derived from the data key
and a random salt by HKDF-SHA-256 (RFC 5869), and bears what the same derivation gives besides: no other data key gives
that. What is sealed is also bound to its place: moved to another, it does not open.
"""

from __future__ import annotations

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.keys.wrapping import KEY_BYTES, NONCE_BYTES

MAGIC = bytes.fromhex("c05111f0f0e4b2a9d7315a6c8e02914f")
"""Begins all that is sealed: nothing that was stored before does."""
SALT_BYTES = COMMITMENT_BYTES = 32
_HEAD = len(MAGIC) + SALT_BYTES + COMMITMENT_BYTES + NONCE_BYTES


class CannotOpen(Exception):
    """Sealed under another key, for another place, or changed since."""


def seal(key: bytes, content: bytes, place: str) -> bytes:
    """Magic, salt [32], commitment [32], nonce [12], ciphertext, tag [16]."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    message_key, commitment = _derive(key, salt)
    return MAGIC + salt + commitment + nonce + AESGCM(message_key).encrypt(nonce, content, place.encode())


def is_sealed(content: bytes) -> bool:
    """Whether bytes are sealed at all."""
    return content.startswith(MAGIC)


def open_sealed(key: bytes, sealed: bytes, place: str) -> bytes:
    """What was sealed. Raises: CannotOpen."""
    if len(sealed) < _HEAD or not is_sealed(sealed):
        raise CannotOpen("these bytes are not sealed")
    at = len(MAGIC)
    salt, committed = sealed[at : at + SALT_BYTES], sealed[at + SALT_BYTES : _HEAD - NONCE_BYTES]
    message_key, commitment = _derive(key, salt)
    if not hmac.compare_digest(commitment, committed):
        raise CannotOpen("these bytes are sealed under another key")
    try:
        return AESGCM(message_key).decrypt(sealed[_HEAD - NONCE_BYTES : _HEAD], sealed[_HEAD:], place.encode())
    except InvalidTag as error:
        raise CannotOpen("these bytes were changed, or belong elsewhere") from error


def _derive(key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    derived = HKDF(SHA256(), KEY_BYTES + COMMITMENT_BYTES, salt, b"consilium sealed 1").derive(key)
    return derived[:KEY_BYTES], derived[KEY_BYTES:]
