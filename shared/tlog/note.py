"""C2SP signed notes with Ed25519 keys: text, a blank line, and one line per signature.

The parser takes the one spelling that the specification allows and nothing else: what two readers may read
differently is a way to show each of them another log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
SIGNATURE_PREFIX = "\u2014 "
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 16


class NoteError(ValueError):
    """A note or key that is malformed, or signed by nobody known, or signed wrongly."""


class NoteKey(Protocol):
    """Whatever can tell whether it has signed a note."""

    @property
    def name(self) -> str:
        """The name it signs under."""
        ...

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart."""
        ...

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether this key made this signature of this text."""
        ...


@dataclass(frozen=True)
class VerifierKey:
    """A public key and the name it signs under."""

    name: str
    key_id: bytes
    public_key: bytes

    def __str__(self) -> str:
        """The vkey line: `<name>+<key id in hex>+<base64 of type and key>`."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public_key).decode()}"

    def verify(self, text: str, signature: bytes) -> bool:
        """Whether this key made this signature of this text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class SignatureLine:
    """Who signed (name and key id), and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A parsed note. Its text means nothing until a signature has been verified."""

    text: str
    signatures: tuple[SignatureLine, ...]


class NoteSigner:
    """Signs notes with one Ed25519 key under one name."""

    def __init__(self, name: str, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self.verifier_key = make_verifier_key(name, private_key.public_key().public_bytes_raw())

    @property
    def verifier_keys(self) -> Sequence[NoteKey]:
        """Every key that signs."""
        return [self.verifier_key]

    def line(self, text: str) -> str:
        """This key's signature line."""
        return signature_line(self.verifier_key, self._private_key.sign(text.encode()))

    def sign(self, text: str) -> str:
        """The whole note: the text and this key's signature line."""
        return f"{text}\n{self.line(text)}"


def signature_line(key: NoteKey, signature: bytes) -> str:
    """A signature as it stands under a note."""
    return f"{SIGNATURE_PREFIX}{key.name} {base64.b64encode(key.key_id + signature).decode()}\n"


def make_verifier_key(name: str, public_key: bytes) -> VerifierKey:
    """The key with its id: the first four bytes of SHA-256(name, newline, type, key).

    Raises: NoteError: the name may not stand in a note.
    """
    check_name(name)
    key_id = hashlib.sha256(name.encode() + b"\n" + ED25519 + public_key).digest()[:4]
    return VerifierKey(name, key_id, public_key)


def parse_verifier_key(line: str) -> VerifierKey:
    """Read a vkey line.

    Raises: NoteError: it is not an Ed25519 vkey, or its id does not belong to its key.
    """
    name, plus1, rest = line.strip().partition("+")
    key_id, plus2, encoded = rest.partition("+")
    blob = decode_base64(encoded)
    if not (plus1 and plus2) or len(blob) != 33 or blob[:1] != ED25519:
        raise NoteError("a verifier key reads <name>+<8 hex digits>+<base64 of 0x01 and 32 bytes of Ed25519 key>")
    key = make_verifier_key(name, blob[1:])
    if key.key_id.hex() != key_id:
        raise NoteError("the key id does not belong to this name and key")
    return key


def parse_note(content: str | bytes) -> Note:
    """Split a note into text and signature lines.

    Raises: NoteError: any deviation from the format.
    """
    document = _decode(content)
    text, separator, signatures = document.rpartition("\n\n")
    if not separator or not signatures.endswith("\n") or not text:
        raise NoteError("a note is text, a blank line, and signature lines that each end in a newline")
    lines = signatures[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"more than {MAX_SIGNATURES} signatures")
    return Note(text + "\n", tuple(_parse_signature(line) for line in lines))


def open_note(content: str | bytes, keys: Sequence[NoteKey]) -> Note:
    """A note that at least one of these keys signed; signatures of unknown keys are ignored.

    Raises: NoteError: malformed, no signature of a known key, or a known key's signature that does not verify.
    """
    note = parse_note(content)
    known = {(key.name, key.key_id): key for key in keys}
    verified = 0
    for line in note.signatures:
        key = known.get((line.name, line.key_id))
        if key is None:
            continue
        if not key.verify(note.text, line.signature):
            raise NoteError(f"the signature of {line.name} does not verify")
        verified += 1
    if not verified:
        raise NoteError("no known key has signed this note")
    return note


def check_name(name: str) -> None:
    """Refuse key names that cannot stand in a signature line. Raises: NoteError."""
    if not name or "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        raise NoteError("a key name has no spaces, no plus sign and no control characters, and is not empty")


def decode_base64(text: str) -> bytes:
    """Standard base64 in its canonical form only. Raises: NoteError."""
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise NoteError("not standard base64") from error
    if base64.b64encode(decoded).decode() != text:
        raise NoteError("not canonical base64")
    return decoded


def _decode(content: str | bytes) -> str:
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if len(raw) > MAX_NOTE_BYTES:
        raise NoteError(f"more than {MAX_NOTE_BYTES} bytes")
    try:
        document = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteError("not UTF-8") from error
    if any(ord(c) < 0x20 and c != "\n" for c in document):
        raise NoteError("control characters other than newline")
    return document


def _parse_signature(line: str) -> SignatureLine:
    if not line.startswith(SIGNATURE_PREFIX):
        raise NoteError("a signature line starts with an em dash and a space")
    parts = line[len(SIGNATURE_PREFIX) :].split(" ")
    if len(parts) != 2:
        raise NoteError("a signature line is an em dash, a name and base64, with single spaces between")
    check_name(parts[0])
    blob = decode_base64(parts[1])
    if len(blob) < 5:
        raise NoteError("a signature is four bytes of key id and at least one more")
    return SignatureLine(parts[0], blob[:4], blob[4:])
