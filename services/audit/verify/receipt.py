"""A receipt (C2SP `tlog-proof`): one entry's place in a signed tree."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from .entries import summarise
from .faults import Bad, Report
from .notes import Key, canonical_base64, decimal, hash_of, open_checkpoint, text_of
from .policy import NO_WITNESS, Policy
from .tree import leaf_hash, root_from_path

HEADER = "c2sp.org/tlog-proof@v1"
MAX_RECEIPT_BYTES = 2_000_000
MAX_PROOF_HASHES = 63


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

    def report(self) -> Report:
        """The answer of the command."""
        facts = {"log": self.origin, "index": self.index, "treeSize": self.size, "entry": summarise(self.entry)}
        return Report(facts)


def verify(
    receipt: bytes,
    keys: Sequence[Key],
    entry: bytes | None = None,
    origin: str | None = None,
    policy: Policy = NO_WITNESS,
) -> Finding:
    """Check a receipt against keys that come from elsewhere.

    Args:
        entry: the leaf, where the receipt does not hold it; as stored, or as `GET /audit/entries/{index}` answers.
        origin: the log's name, by default the keys'.
        policy: who must have cosigned the checkpoint.

    Raises: Bad.
    """
    parsed = parse_receipt(receipt)
    checkpoint = open_checkpoint(parsed.checkpoint, keys, policy.keys, origin)
    if not policy.holds_for(checkpoint):
        raise Bad("the checkpoint is not cosigned by a quorum of the witnesses")
    known = _entry_of(parsed, entry)
    root = root_from_path(parsed.index, checkpoint.size, leaf_hash(known), parsed.hashes)
    if not hmac.compare_digest(root, checkpoint.root):
        raise Bad(f"this entry is not number {parsed.index} of the signed log: the proof leads to another root")
    return Finding(checkpoint.origin, parsed.index, checkpoint.size, known)


def parse_receipt(receipt: bytes) -> Receipt:
    """Split a receipt into its parts. Raises: Bad."""
    head, separator, checkpoint = text_of(receipt, MAX_RECEIPT_BYTES).partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != HEADER:
        raise Bad(f"not a receipt: it must start with the line {HEADER}")
    entry = canonical_base64(lines.pop(0)[6:], "extra line") if lines and lines[0].startswith("extra ") else None
    if not lines or not lines[0].startswith("index "):
        raise Bad("the line `index N` is missing")
    index = decimal(lines.pop(0)[6:], "index")
    if len(lines) > MAX_PROOF_HASHES:
        raise Bad("the proof has too many hashes")
    return Receipt(index, [hash_of(line, "proof") for line in lines], checkpoint, entry)


def _entry_of(receipt: Receipt, given: bytes | None) -> bytes:
    if given is None:
        if receipt.entry is None:
            raise Bad("the receipt holds no entry: give it with --entry")
        return receipt.entry
    if given.startswith(b'{"index":') and b'"leaf":' in given:
        given = given.rstrip(b"\n").split(b'"leaf":', 1)[1][:-1]
    if receipt.entry is not None and receipt.entry != given:
        raise Bad("the receipt is of another entry than the one given")
    return given
