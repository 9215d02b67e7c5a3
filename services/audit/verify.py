"""Checks a receipt of the audit log. This one file and the `cryptography` package are all it takes.

    python verify.py RECEIPT --key KEY [--entry FILE] [--origin NAME] [--json]

RECEIPT is a C2SP `tlog-proof` text; KEY is the log's public key line (`name+id+base64`) or a file that holds it. The
entry is taken from the receipt's `extra` line, or from FILE: the leaf's bytes, or what `GET /audit/entries/{index}`
answered. The check needs no network and trusts nobody but the key: that the log's key signed the tree, and that this
entry stands at this index of that tree.

Exit status: 0 good, 1 bad (says what is wrong), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

GOOD, BAD, USAGE = 0, 1, 2
HEADER = "c2sp.org/tlog-proof@v1"
EM_DASH = "\u2014"
MAX_RECEIPT_BYTES = 2_000_000
MAX_SIGNATURES = 16
MAX_PROOF_HASHES = 63
ED25519 = b"\x01"


class BadReceipt(Exception):
    """The receipt does not prove what it should; the message says why."""


class BadUsage(Exception):
    """The key or a file cannot be used; the message says why."""


@dataclass(frozen=True)
class Key:
    """A log's public key."""

    name: str
    key_id: bytes
    public: bytes


@dataclass(frozen=True)
class Receipt:
    """A receipt's parts, none of them believed yet."""

    index: int
    hashes: list[bytes]
    checkpoint: str
    entry: bytes | None


@dataclass(frozen=True)
class Finding:
    """What a good receipt proves."""

    origin: str
    index: int
    size: int
    entry: bytes


def verify(receipt: bytes, key: Key, entry: bytes | None = None, origin: str | None = None) -> Finding:
    """Check a receipt. `origin` is the log's name, by default the key's.

    Raises: BadReceipt.
    """
    parsed = parse_receipt(receipt)
    log, size, root = open_checkpoint(parsed.checkpoint, key)
    if log != (origin or key.name):
        raise BadReceipt(f"the checkpoint is of another log: {_plain(log)}")
    known = _entry_of(parsed, entry)
    leaf = hashlib.sha256(b"\x00" + known).digest()
    if not hmac.compare_digest(_root_from_path(parsed.index, size, leaf, parsed.hashes), root):
        raise BadReceipt(f"this entry is not number {parsed.index} of the signed log: the proof leads to another root")
    return Finding(log, parsed.index, size, known)


def parse_receipt(receipt: bytes) -> Receipt:
    """Split a receipt into its parts. Raises: BadReceipt."""
    head, separator, checkpoint = _text(receipt).partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != HEADER:
        raise BadReceipt(f"not a receipt: it must start with the line {HEADER}")
    entry = _base64(lines.pop(0)[6:], "extra line") if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise BadReceipt("the line `index N` is missing")
    index = _decimal(lines.pop(0)[6:], "index")
    if len(lines) > MAX_PROOF_HASHES:
        raise BadReceipt("the proof has too many hashes")
    return Receipt(index, [_hash(line, "proof") for line in lines], checkpoint, entry)


def open_checkpoint(note: str, key: Key) -> tuple[str, int, bytes]:
    """Origin, tree size and root of a checkpoint that the key signed. Raises: BadReceipt."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise BadReceipt("the checkpoint has no signature")
    _check_signatures(text + "\n", signatures[:-1].split("\n"), key)
    lines = text.split("\n")
    if len(lines) < 3 or not all(lines):
        raise BadReceipt("the checkpoint has fewer than three lines, or an empty one")
    return lines[0], _decimal(lines[1], "tree size"), _hash(lines[2], "root")


def parse_key(line: str) -> Key:
    """Read a public key line. Raises: BadUsage."""
    parts = line.strip().split("+", 2)
    try:
        blob = base64.b64decode(parts[2], validate=True)
        key = Key(parts[0], bytes.fromhex(parts[1]), blob[1:])
    except (IndexError, ValueError) as error:
        raise BadUsage("a public key reads name+id+base64") from error
    digest = hashlib.sha256(key.name.encode() + b"\n" + blob).digest()
    if blob[:1] != ED25519 or len(key.public) != 32 or digest[:4] != key.key_id:
        raise BadUsage("this is not an Ed25519 key line, or its id does not belong to it")
    return key


def read_key(source: str) -> Key:
    """The key in a file, or the key line itself. Raises: BadUsage."""
    path = Path(source)
    try:
        return parse_key(path.read_text("utf-8") if path.is_file() else source)
    except (OSError, UnicodeDecodeError) as error:
        raise BadUsage("the key file cannot be read") from error


def summarise(entry: bytes) -> dict[str, str]:
    """What an entry says, in plain words by name; nothing where it is not one of our leaves."""
    try:
        leaf = json.loads(entry)
        event, actor = leaf["event"], leaf["event"]["actor"]
        found = {
            "what": f"{event['type']} / {event['subtype']}: {event['outcome']}",
            "when": event["occurredAt"],
            "received": leaf["receivedAt"],
            "by": f"{actor['role']} {actor['subject']}",
            "patient": event.get("subjectRef"),
            "object": " ".join(str(event["object"][part]) for part in ("kind", "id")) if event.get("object") else None,
            "digest": (event.get("object") or {}).get("digest"),
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {name: _plain(str(value)) for name, value in found.items() if value is not None}


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="verify", description="Check a receipt of the audit log.")
    parser.add_argument("receipt", help="the .tlog-proof file")
    parser.add_argument("--key", required=True, help="the log's public key line, or a file with it")
    parser.add_argument("--entry", help="the entry, if the receipt does not hold it")
    parser.add_argument("--origin", help="the log's name, if it is not the key's")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    given = parser.parse_args(arguments)
    return run(given.receipt, given.key, given.entry, given.origin, given.json)


def run(receipt: str, key: str, entry: str | None = None, origin: str | None = None, as_json: bool = False) -> int:
    """Check the receipt in a file and print the finding; returns the exit status."""
    try:
        finding = verify(_read(receipt), read_key(key), _read(entry) if entry else None, origin)
    except BadUsage as error:
        print(f"cannot check: {error}", file=sys.stderr)
        return USAGE
    except BadReceipt as error:
        print(json.dumps({"good": False, "reason": str(error)}) if as_json else f"BAD: {error}")
        return BAD
    print(_as_json(finding) if as_json else _as_text(finding))
    return GOOD


def _check_signatures(text: str, lines: list[str], key: Key) -> None:
    if len(lines) > MAX_SIGNATURES:
        raise BadReceipt("the checkpoint has too many signatures")
    signed = False
    for line in lines:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != EM_DASH or not parts[1]:
            raise BadReceipt("a signature line of the checkpoint is malformed")
        blob = _base64(parts[2], "signature")
        if (parts[1], blob[:4]) == (key.name, key.key_id):
            _check_signature(text, blob[4:], key)
            signed = True
    if not signed:
        raise BadReceipt(f"the checkpoint is not signed by {_plain(key.name)} with this key")


def _check_signature(text: str, signature: bytes, key: Key) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
    except InvalidSignature as error:
        raise BadReceipt("the checkpoint's signature is not the log's: it was forged or altered") from error


def _entry_of(receipt: Receipt, given: bytes | None) -> bytes:
    if given is None:
        if receipt.entry is None:
            raise BadReceipt("the receipt holds no entry: give it with --entry")
        return receipt.entry
    if given.startswith(b'{"index":') and b'"leaf":' in given:
        given = given.rstrip(b"\n").split(b'"leaf":', 1)[1][:-1]
    if receipt.entry is not None and receipt.entry != given:
        raise BadReceipt("the receipt is of another entry than the one given")
    return given


def _root_from_path(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """The root that an inclusion path leads to (RFC 9162 section 2.1.3.2)."""
    if index >= size:
        raise BadReceipt(f"index {index} is not in a log of {size} entries")
    at, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise BadReceipt("the proof has more hashes than the tree has levels")
        if at % 2 or at == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        at, last = at // 2, last // 2
    if last:
        raise BadReceipt("the proof has fewer hashes than the tree has levels")
    return node


def _text(content: bytes) -> str:
    if len(content) > MAX_RECEIPT_BYTES:
        raise BadReceipt("larger than any receipt")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadReceipt("not UTF-8 text") from error
    if any(ord(c) < 0x20 and c != "\n" for c in text):
        raise BadReceipt("it holds control characters; line ends must be plain newlines")
    return text


def _decimal(text: str, what: str) -> int:
    if re.fullmatch(r"0|[1-9][0-9]{0,18}", text, re.ASCII) is None:
        raise BadReceipt(f"the {what} is not a plain decimal number")
    return int(text)


def _base64(text: str, what: str) -> bytes:
    try:
        blob = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadReceipt(f"the {what} is not base64") from error
    if base64.b64encode(blob).decode() != text:
        raise BadReceipt(f"the {what} is not canonical base64")
    return blob


def _hash(text: str, what: str) -> bytes:
    blob = _base64(text, what)
    if len(blob) != 32:
        raise BadReceipt(f"a hash of the {what} does not have 32 bytes")
    return blob


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadUsage(f"cannot read {path}: {error.strerror}") from error


def _plain(text: str) -> str:
    """Text that cannot steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _as_text(finding: Finding) -> str:
    lines = {"log": _plain(finding.origin), "index": finding.index, "tree size": finding.size}
    rows: dict[str, Any] = {**lines, **summarise(finding.entry)}
    return "\n".join(["GOOD: the entry is in the signed log", *(f"{name:<10} {value}" for name, value in rows.items())])


def _as_json(finding: Finding) -> str:
    head = {"good": True, "log": finding.origin, "index": finding.index, "treeSize": finding.size}
    return json.dumps({**head, "entry": summarise(finding.entry)})


if __name__ == "__main__":
    sys.exit(main())
