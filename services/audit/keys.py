"""The log's signing key: made once, kept in a file only its owner can read."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth import write_secret
from shared.tlog.note import NoteSigner, parse_verifier_key


def open_signer(origin: str, signing_key_file: Path, public_key_file: Path) -> NoteSigner:
    """The signer of this log, with a new key if there is none yet; the public key is written beside it.

    Raises: ValueError: a key file is unreadable, or the public key on file belongs to another private key.
    """
    if not signing_key_file.exists():
        if public_key_file.exists():
            raise ValueError(
                f"the log's private key {signing_key_file} is missing although its public key is there: restore it"
            )
        write_secret(signing_key_file, Ed25519PrivateKey.generate().private_bytes_raw().hex() + "\n")
    seed = bytes.fromhex(signing_key_file.read_text().strip())
    signer = NoteSigner(origin, Ed25519PrivateKey.from_private_bytes(seed))
    if not public_key_file.exists():
        public_key_file.parent.mkdir(parents=True, exist_ok=True)
        public_key_file.write_text(f"{signer.verifier_key}\n")
    elif parse_verifier_key(public_key_file.read_text()) != signer.verifier_key:
        raise ValueError(f"{public_key_file} is not the public key of this log's origin and private key")
    return signer
