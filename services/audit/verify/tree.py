"""RFC 6962 trees: hashes, the root that an inclusion path leads to, and a tree that grows leaf by leaf."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from .faults import Bad

HASH_BYTES = 32
TILE_WIDTH = 256
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_from_path(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion path leads to (RFC 9162 section 2.1.3.2). Raises: Bad."""
    if not 0 <= index < size:
        raise Bad(f"index {index} is not in a log of {size} entries")
    at, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise Bad("the proof has more hashes than the tree has levels")
        if at % 2 or at == last:
            node = node_hash(sibling, node)
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            node = node_hash(node, sibling)
        at, last = at // 2, last // 2
    if last:
        raise Bad("the proof has fewer hashes than the tree has levels")
    return node


class GrowingTree:
    """A tree as its perfect subtrees, left to right: leaves go in, the root comes out at any size."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def append(self, leaf: bytes, height: int = 0) -> None:
        """Add the root of a perfect subtree of 2^height leaves, by default one leaf hash; the size is a multiple."""
        self.size += 1 << height
        peaks = self._peaks
        while peaks and peaks[-1][0] == height:
            leaf = hashlib.sha256(b"\x01" + peaks.pop()[1] + leaf).digest()
            height += 1
        peaks.append((height, leaf))

    def root(self) -> bytes:
        """The root hash."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root of a perfect subtree, given one whole level of it."""
    level = list(hashes)
    sha256 = hashlib.sha256
    while len(level) > 1:
        level = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]
