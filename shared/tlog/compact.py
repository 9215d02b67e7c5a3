"""A tree as the few subtree roots that are needed to go on growing it: what the signer recomputes every batch with."""

from __future__ import annotations

from collections.abc import Iterable

from shared.tlog.tiles import TileReader, perfect_subtree
from shared.tlog.tree import EMPTY_ROOT, node_hash


class CompactTree:
    """The perfect subtrees of a tree, from the largest (left) to the smallest (right)."""

    def __init__(self, peaks: Iterable[tuple[int, bytes]] = ()) -> None:
        self._peaks = list(peaks)

    @classmethod
    def from_tiles(cls, size: int, read: TileReader) -> CompactTree:
        """The tree of the first `size` leaves, as the tiles tell it."""
        peaks, start = [], 0
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                peaks.append((height, perfect_subtree(height, start >> height, read)))
                start += 1 << height
        return cls(peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash; equal neighbours become one subtree."""
        height = 0
        while self._peaks and self._peaks[-1][0] == height:
            leaf = node_hash(self._peaks.pop()[1], leaf)
            height += 1
        self._peaks.append((height, leaf))

    def root(self) -> bytes:
        """The root hash."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root
