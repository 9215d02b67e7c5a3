"""C2SP `tlog-cosignature`: a witness's statement, with the time, that a checkpoint continues all that it saw before.

Two kinds: Ed25519 (`cosignature/v1`), which every verifier reads, and ML-DSA-44, which will hold against quantum
computers. A log may sign its own checkpoints with the second kind beside its Ed25519 line.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from shared.tlog.checkpoint import parse_checkpoint_text
from shared.tlog.note import NoteError, check_name, decode_base64, signature_line

ED25519, ML_DSA_44 = 0x04, 0x06
KEY_BYTES = {ED25519: 32, ML_DSA_44: 1312}
SIGNATURE_BYTES = {ED25519: 64, ML_DSA_44: 2420}
TIME_BYTES = 8
LABEL = b"subtree/v1\n\x00"


@dataclass(frozen=True)
class CosignatureKey:
    """The public key of a witness, or a log's second one; `kind` is the type byte of its vkey line."""

    name: str
    kind: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name, newline, type, key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key).digest()[:4]

    def __str__(self) -> str:
        """The vkey line."""
        blob = base64.b64encode(bytes([self.kind]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{blob}"

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether this key cosigned this checkpoint text."""
        if len(signature) != TIME_BYTES + SIGNATURE_BYTES[self.kind]:
            return False
        time, raw = time_of(signature), signature[TIME_BYTES:]
        try:
            if self.kind == ED25519:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(raw, _ed25519_message(text, time))
            else:
                message = _ml_dsa_message(self.name, text, time)
                MLDSA44PublicKey.from_public_bytes(self.public_key).verify(raw, message)
        except (InvalidSignature, UnsupportedAlgorithm, NoteError):
            return False
        return True


class Cosigner(Protocol):
    """Whatever cosigns."""

    @property
    def key(self) -> CosignatureKey:
        """The public half."""
        ...

    def line(self, text: str, time: int) -> str:
        """The signature line under this checkpoint text, stating this POSIX time."""
        ...


class Ed25519Cosigner:
    """Cosigns as `cosignature/v1`. The same key must not sign anything else (it does not commit to the name)."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        check_name(name)
        self._private_key = private_key
        self.key = CosignatureKey(name, ED25519, private_key.public_key().public_bytes_raw())

    def line(self, text: str, time: int) -> str:
        """The signature line."""
        return signature_line(self.key, _time(time) + self._private_key.sign(_ed25519_message(text, time)))


class MlDsaCosigner:
    """Cosigns with ML-DSA-44 (FIPS 204)."""

    def __init__(self, name: str, private_key: MLDSA44PrivateKey) -> None:
        check_name(name)
        self._private_key = private_key
        self.key = CosignatureKey(name, ML_DSA_44, private_key.public_key().public_bytes_raw())

    def line(self, text: str, time: int) -> str:
        """The signature line; time 0 states nothing about the time."""
        return signature_line(
            self.key, _time(time) + self._private_key.sign(_ml_dsa_message(self.key.name, text, time))
        )


def parse_cosignature_key(line: str) -> CosignatureKey:
    """Read a vkey line of type 0x04 or 0x06. Raises: NoteError."""
    name, _, rest = line.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    check_name(name)
    blob = decode_base64(encoded)
    if not blob or KEY_BYTES.get(blob[0]) != len(blob) - 1:
        raise NoteError("a witness's key reads <name>+<8 hex digits>+<base64 of 0x04 or 0x06 and the key>")
    key = CosignatureKey(name, blob[0], blob[1:])
    if key.key_id.hex() != key_id:
        raise NoteError("the key id does not belong to this name and key")
    return key


def time_of(signature: bytes) -> int:
    """The POSIX time that a cosignature states."""
    return int.from_bytes(signature[:TIME_BYTES], "big")


def _time(time: int) -> bytes:
    return time.to_bytes(TIME_BYTES, "big")


def _ed25519_message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _ml_dsa_message(name: str, text: str, time: int) -> bytes:
    """The `cosigned_message` structure; a checkpoint is the subtree that starts at 0. Raises: NoteError."""
    checkpoint = parse_checkpoint_text(text)
    parts = [LABEL, _opaque(name), _time(time), _opaque(checkpoint.origin), _time(0), _time(checkpoint.size)]
    return b"".join(parts) + checkpoint.root


def _opaque(text: str) -> bytes:
    raw = text.encode()
    if not 1 <= len(raw) <= 255:
        raise NoteError("names and origins have 1 to 255 bytes")
    return bytes([len(raw)]) + raw
