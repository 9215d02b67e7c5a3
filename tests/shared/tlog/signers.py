"""Keys that tests sign with."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.tlog.note import NoteSigner


def signer_of(seed: int, name: str = "example.com/log") -> NoteSigner:
    """A signer whose key is the same in every run."""
    return NoteSigner(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))
