"""RFC 6962 Merkle tree hashing, and the verification of inclusion and consistency proofs.

The verification algorithms are those of RFC 9162 sections 2.1.3.2 and 2.1.4.2, whose trees are the same.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


class ProofError(ValueError):
    """A proof does not prove what it claims."""


def leaf_hash(entry: bytes) -> bytes:
    """MTH of one entry. The 0x00 prefix keeps an entry from posing as an inner node (second preimage)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """MTH of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root of a perfect subtree, given all nodes of one level (their number is a power of two)."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def split(size: int) -> int:
    """The largest power of two smaller than `size` (RFC 6962 section 2.1); `size` is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash `leaf` stands at `index` in the tree of `size` leaves with this root.

    Raises: ProofError: it does not, or the proof is malformed.
    """
    _check_hashes([leaf, root, *proof])
    if not 0 <= index < size:
        raise ProofError(f"index {index} is not in a tree of {size} leaves")
    at, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if not hmac.compare_digest(node, root):
        raise ProofError("the proof leads to another root")


def verify_consistency(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    """Check that the tree of `size1` leaves is a prefix of the tree of `size2` leaves.

    Raises: ProofError: it is not, or the proof is malformed.
    """
    _check_hashes(proof)
    if not 0 <= size1 <= size2:
        raise ProofError(f"sizes {size1} and {size2} are not in order")
    if size1 == 0:
        raise ProofError("every tree continues the empty one: there is nothing to prove")
    if size1 == size2:
        if proof:
            raise ProofError("the proof is too long")
        if not hmac.compare_digest(root1, root2):
            raise ProofError("two roots for one size: the log was forked")
        return
    if not proof:
        raise ProofError("the proof is empty")
    _verify_growth(size1, size2, proof, root1, root2)


def _verify_growth(size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes) -> None:
    _check_hashes([root1, root2])
    path = list(proof)
    if size1 & (size1 - 1) == 0:
        path.insert(0, root1)
    at, last = size1 - 1, size2 - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    if not (hmac.compare_digest(old, root1) and hmac.compare_digest(new, root2)):
        raise ProofError("the proof leads to other roots: the log was rewritten")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(value) != HASH_BYTES for value in hashes):
        raise ProofError(f"every hash has {HASH_BYTES} bytes")
