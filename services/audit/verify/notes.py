"""C2SP signed notes, read strictly: keys, checkpoints, and who has cosigned them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .faults import Bad, CannotCheck, plain

EM_DASH = "\u2014"
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 16
ED25519, COSIGNATURE, ML_DSA_44 = 0x01, 0x04, 0x06
KEY_BYTES = {ED25519: 32, COSIGNATURE: 32, ML_DSA_44: 1312}


@dataclass(frozen=True)
class Key:
    """A public key under a name; `kind` is the signature type of its vkey line."""

    name: str
    key_id: bytes
    kind: int
    public: bytes


@dataclass(frozen=True)
class Checkpoint:
    """A signed tree: what the log's key vouches for, the whole note, and who cosigned it when."""

    origin: str
    size: int
    root: bytes
    note: str
    cosigned: tuple[tuple[Key, int], ...] = ()


def open_checkpoint(
    note: str, keys: Sequence[Key], witnesses: Sequence[Key] = (), origin: str | None = None
) -> Checkpoint:
    """The checkpoint in a note that one of the log's keys signed.

    Lines of unknown keys are ignored; one bad signature of a known key rejects the whole note.

    Args: origin: the log's name, by default that of the keys. Raises: Bad.
    """
    text, lines = split_note(note)
    body = text.split("\n")
    if len(body) < 4 or not all(body[:-1]):
        raise Bad("the checkpoint has fewer than three lines, or an empty one")
    log, size, root = body[0], decimal(body[1], "tree size"), hash_of(body[2], "root")
    signed, cosigned = False, []
    for name, blob in lines:
        for key in (*keys, *witnesses):
            if (name, blob[:4]) == (key.name, key.key_id):
                time = _verify(key, text, blob[4:], log, size, root)
                if key in keys:
                    signed = True
                else:
                    cosigned.append((key, time))
    if not signed:
        raise Bad(f"the checkpoint is not signed by {plain(keys[0].name)} with this key")
    if log != (origin or keys[0].name):
        raise Bad(f"the checkpoint is of another log: {plain(log)}")
    return Checkpoint(log, size, root, note, tuple(cosigned))


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """A note's text, and name and bytes of each signature line. Raises: Bad."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not text or not signatures.endswith("\n"):
        raise Bad("the checkpoint has no signature")
    lines = signatures[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise Bad("the checkpoint has too many signatures")
    return text + "\n", [_signature_line(line) for line in lines]


def _signature_line(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != EM_DASH or not parts[1] or "+" in parts[1] or any(c.isspace() for c in parts[1]):
        raise Bad("a signature line of the checkpoint is malformed")
    blob = canonical_base64(parts[2], "signature")
    if len(blob) < 5:
        raise Bad("a signature of the checkpoint is too short")
    return parts[1], blob


def _verify(key: Key, text: str, signature: bytes, origin: str, size: int, root: bytes) -> int:
    """Check one signature; the time that a cosignature states, else 0. Raises: Bad."""
    time = int.from_bytes(signature[:8], "big")
    try:
        if key.kind == ED25519:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
            return 0
        if key.kind == COSIGNATURE:
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature[8:], message)
        else:
            _verify_ml_dsa(key, signature, time, origin, size, root)
    except InvalidSignature as error:
        raise Bad(f"the signature of {plain(key.name)} does not verify: it was forged or altered") from error
    return time


def _verify_ml_dsa(key: Key, signature: bytes, time: int, origin: str, size: int, root: bytes) -> None:
    """C2SP tlog-cosignature, "ML-DSA-44 signed message"."""
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

        public = MLDSA44PublicKey.from_public_bytes(key.public)
    except (ImportError, UnsupportedAlgorithm) as error:
        raise CannotCheck("this build of `cryptography` has no ML-DSA-44: leave that key out") from error
    name, log = key.name.encode(), origin.encode()
    message = b"subtree/v1\n\x00" + bytes([len(name)]) + name + time.to_bytes(8, "big") + bytes([len(log)]) + log
    public.verify(signature[8:], message + bytes(8) + size.to_bytes(8, "big") + root)


def parse_key(line: str) -> Key:
    """Read a vkey line. Raises: CannotCheck."""
    parts = line.strip().split("+", 2)
    try:
        blob = base64.b64decode(parts[2], validate=True)
        key = Key(parts[0], bytes.fromhex(parts[1]), blob[0], blob[1:])
    except (IndexError, ValueError) as error:
        raise CannotCheck("a public key reads name+id+base64") from error
    digest = hashlib.sha256(key.name.encode() + b"\n" + blob).digest()
    if KEY_BYTES.get(key.kind) != len(key.public) or digest[:4] != key.key_id:
        raise CannotCheck("this is no key line of a kind that is known here, or its id does not belong to it")
    return key


def read_keys(sources: Sequence[str]) -> list[Key]:
    """The keys in files, or given as lines themselves; a file may hold several. Raises: CannotCheck."""
    keys = []
    for source in sources:
        text = read_file(source).decode("utf-8", "replace") if Path(source).is_file() else source
        keys += [parse_key(line) for line in text.splitlines() if line.strip()]
    if not keys:
        raise CannotCheck("no key was given")
    return keys


def read_log_keys(sources: Sequence[str]) -> list[Key]:
    """The keys of one log. Raises: CannotCheck."""
    keys = read_keys(sources)
    if any(key.kind == COSIGNATURE for key in keys):
        raise CannotCheck("a witness's key cannot be the log's: give it as --witness-key")
    if len({key.name for key in keys}) > 1:
        raise CannotCheck("the keys are of different logs")
    return keys


def read_note(path: str) -> str:
    """A note in a file. Raises: Bad, CannotCheck."""
    return text_of(read_file(path), MAX_NOTE_BYTES)


def read_file(path: str) -> bytes:
    """The bytes of a file. Raises: CannotCheck."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CannotCheck(f"cannot read {path}: {error.strerror}") from error


def text_of(content: bytes, most: int) -> str:
    """Text without control characters other than newline. Raises: Bad."""
    if len(content) > most:
        raise Bad(f"more than {most} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Bad("not UTF-8 text") from error
    if any(ord(c) < 0x20 and c != "\n" for c in text):
        raise Bad("it holds control characters; line ends must be plain newlines")
    return text


def decimal(text: str, what: str) -> int:
    """A number in its one spelling. Raises: Bad."""
    if re.fullmatch(r"0|[1-9][0-9]{0,18}", text, re.ASCII) is None:
        raise Bad(f"the {what} is not a plain decimal number")
    return int(text)


def canonical_base64(text: str, what: str) -> bytes:
    """Standard base64 in its one spelling. Raises: Bad."""
    try:
        blob = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Bad(f"the {what} is not base64") from error
    if base64.b64encode(blob).decode() != text:
        raise Bad(f"the {what} is not canonical base64")
    return blob


def hash_of(text: str, what: str) -> bytes:
    """A SHA-256 in base64. Raises: Bad."""
    blob = canonical_base64(text, what)
    if len(blob) != 32:
        raise Bad(f"a hash of the {what} does not have 32 bytes")
    return blob
