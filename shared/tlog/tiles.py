"""C2SP tlog-tiles: the tree as immutable tiles of 256 hashes, and every proof computed from them.

Tile `n` of level `l` holds the hashes of the subtrees of 256^l leaves from number `256 n` on. A partial tile is a
prefix of the tile that it becomes, so one growing byte string per (level, n) holds all its widths.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.tlog.tree import EMPTY_ROOT, HASH_BYTES, fold, node_hash, split

WIDTH = 256
HEIGHT = 8
MAX_LEVEL = 63
MAX_ENTRY_BYTES = 65_535

TileReader = Callable[[int, int], bytes]
"""`(level, n)` -> the hashes of that tile, at least as many as the tree size asked about has there."""

Known = dict[tuple[int, int], bytes]
"""Subtree roots that were computed before, by height and number: whoever makes many proofs keeps them between."""


class TilePathError(ValueError):
    """A path that names no tile."""


@dataclass(frozen=True)
class TileName:
    """Tile `n`, `width` hashes (or entries) wide."""

    n: int
    width: int


def format_tile_path(n: int, width: int = WIDTH) -> str:
    """`<N>[.p/<W>]`: index 1234067 is `x001/x234/067`."""
    parts = [f"{n % 1000:03d}"]
    while n := n // 1000:
        parts.insert(0, f"x{n % 1000:03d}")
    return "/".join(parts) + ("" if width == WIDTH else f".p/{width}")


_PATH = re.compile(r"((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


def parse_tile_path(path: str) -> TileName:
    """The tile that `<N>[.p/<W>]` names.

    Raises: TilePathError: the path is not the one canonical spelling of a tile.
    """
    match = _PATH.fullmatch(path)
    if match is None or len(path) > 40:
        raise TilePathError("a tile is named like x001/x234/067 or x001/x234/067.p/42")
    name = TileName(int(match[1].replace("/", "").replace("x", "")), int(match[2] or WIDTH))
    if format_tile_path(name.n, name.width) != path:
        raise TilePathError("the canonical path has no superfluous x000 and a width from 1 to 255")
    return name


def tile_width(size: int, level: int, n: int) -> int:
    """How many hashes tile `n` of `level` has in a tree of `size` leaves; 0 if it is not there."""
    return max(0, min(WIDTH, (size >> HEIGHT * level) - n * WIDTH))


def grow(size: int, hashes: Sequence[bytes], read: TileReader) -> dict[tuple[int, int], bytes]:
    """The tiles that change when these leaf hashes are appended to a tree of `size` leaves, whole."""
    changed: dict[tuple[int, int], bytes] = {}
    level, position, new = 0, size, list(hashes)
    while new:
        above: list[bytes] = []
        n = position // WIDTH
        kept = position % WIDTH
        tile = read(level, n)[: kept * HASH_BYTES] if kept else b""
        for start in range(0, len(new) + kept, WIDTH):
            taken = new[max(0, start - kept) : start - kept + WIDTH]
            tile += b"".join(taken)
            changed[level, n] = tile
            if len(tile) == WIDTH * HASH_BYTES:
                above.append(fold(hashes_of(tile)))
            n, tile = n + 1, b""
        level, position, new = level + 1, position // WIDTH, above
    return changed


def hashes_of(tile: bytes) -> list[bytes]:
    """The hashes in a tile."""
    return [tile[i : i + HASH_BYTES] for i in range(0, len(tile), HASH_BYTES)]


def root_at(size: int, read: TileReader) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _subtree(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: TileReader, known: Known | None = None) -> list[bytes]:
    """RFC 6962 section 2.1.1: from the leaf's sibling up to the root's child. `index` < `size`."""
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            proof.append(_subtree(middle, end, read, known))
            end = middle
        else:
            proof.append(_subtree(start, middle, read, known))
            start = middle
    return proof[::-1]


def consistency_proof(size1: int, size2: int, read: TileReader) -> list[bytes]:
    """RFC 6962 section 2.1.2, for 0 <= size1 <= size2; empty when either is trivial."""
    proof: list[bytes] = []
    start, end = 0, size2
    if size1 in (0, size2):
        return proof
    while size1 != end:
        middle = start + split(end - start)
        if size1 <= middle:
            proof.append(_subtree(middle, end, read))
            end = middle
        else:
            proof.append(_subtree(start, middle, read))
            start = middle
    if start:
        # The old tree is not itself a perfect subtree of the new one: its last piece must be named.
        proof.append(_subtree(start, end, read))
    return proof[::-1]


def _subtree(start: int, end: int, read: TileReader, known: Known | None = None) -> bytes:
    """MTH of leaves [start, end), where `start` is a multiple of the next power of two of the length."""
    length = end - start
    if length & (length - 1) == 0:
        height, number = length.bit_length() - 1, start // length
        return perfect_subtree(height, number, read) if known is None else _remembered(height, number, read, known)
    middle = start + split(length)
    return node_hash(_subtree(start, middle, read, known), _subtree(middle, end, read, known))


def perfect_subtree(height: int, number: int, read: TileReader) -> bytes:
    """MTH of the `number`-th subtree of 2^height leaves."""
    level, within = divmod(height, HEIGHT)
    count = 1 << within
    first = number * count
    offset = first % WIDTH * HASH_BYTES
    return fold(hashes_of(read(level, first // WIDTH)[offset : offset + count * HASH_BYTES]))


def _remembered(height: int, number: int, read: TileReader, known: Known) -> bytes:
    if (height, number) not in known:
        if height % HEIGHT == 0:
            known[height, number] = perfect_subtree(height, number, read)
        else:
            left, right = (_remembered(height - 1, 2 * number + side, read, known) for side in (0, 1))
            known[height, number] = node_hash(left, right)
    return known[height, number]


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries, each behind its big-endian uint16 length."""
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def decode_bundle(bundle: bytes) -> list[bytes]:
    """The entries of a bundle.

    Raises: ValueError: the bundle ends within an entry.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle) or at + 2 > len(bundle):
            raise ValueError(f"the bundle ends within entry {len(entries)}")
        entries.append(bundle[at + 2 : end])
        at = end
    return entries
