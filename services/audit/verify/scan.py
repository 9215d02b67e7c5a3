"""One pass over the entries of a log, tile by tile, and what it finds on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .entries import Row, event_of, stored_time, wrong_columns
from .faults import Report
from .producers import Producers
from .sides import SideTables
from .sources import Source
from .tree import EMPTY_ROOT, HASH_BYTES, TILE_WIDTH, GrowingTree, fold, leaf_hash


@dataclass
class Scan:
    """One pass over the entries, and what it needs to remember."""

    report: Report
    stored: dict[int, bytes] = field(default_factory=dict)
    """Roots that the log has signed, by size."""
    sides: SideTables | None = None
    tree: GrowingTree = field(default_factory=GrowingTree)
    producers: Producers = field(default_factory=Producers)
    folded: list[bytes] = field(default_factory=list)
    """The roots of the whole tiles of level 0."""
    roots: dict[int, bytes] = field(default_factory=dict)
    """The roots at the sizes that somebody asked for."""
    sound: int = 0
    """The largest size whose root was right."""
    rewritten: bool = False
    spans: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Between which times the acts of each tile's entries occurred."""

    def tile(self, rows: Sequence[Row], stored: bytes, wanted: frozenset[int]) -> None:
        """Take the entries of one tile of level 0, with the tile as it is stored."""
        hashes = [self._entry(row) for row in rows]
        start = self.tree.size
        if b"".join(hashes) != stored:
            self._wrong_tile(start, hashes, stored)
        if len(hashes) == TILE_WIDTH and wanted.isdisjoint(range(start + 1, start + TILE_WIDTH)):
            self.folded.append(fold(hashes))
            self.tree.append(self.folded[-1], 8)
            self.reached(start + TILE_WIDTH, wanted)
            return
        for at, leaf in enumerate(hashes, start + 1):
            self.tree.append(leaf)
            self.reached(at, wanted)
        if len(hashes) == TILE_WIDTH:
            self.folded.append(fold(hashes))

    def reached(self, size: int, wanted: frozenset[int]) -> None:
        """Compare the root at this size, if it was signed or asked for."""
        if size not in wanted:
            return
        root = self.roots[size] = self.tree.root()
        signed = self.stored.get(size, root)
        if signed == root:
            self.sound = size if size in self.stored else self.sound
        elif not self.rewritten:
            self.rewritten = True
            what = f"from here to {size - 1} at the latest, entries are not those that the checkpoint signed"
            self.report.fault_within(self.sound, size, what)

    def _entry(self, row: Row) -> bytes:
        if not isinstance(row.entry, bytes):
            # SQLite keeps whatever is put into a column.
            self.report.fault(row.idx, "it is not bytes")
            return EMPTY_ROOT
        leaf = leaf_hash(row.entry)
        event = event_of(row.entry)
        if event is None:
            self.report.fault(row.idx, "it is not an event")
            return leaf
        self.producers.saw(event)
        self._saw_time(row.idx // TILE_WIDTH, stored_time(str(event.get("occurredAt"))))
        if row.columns is not None:
            for name in _safely(row, event, leaf):
                self.report.fault(row.idx, f"column {name} is not what the entry says")
            if self.sides is not None:
                for what in self.sides.wrong_at(row.idx, event):
                    self.report.fault(row.idx, what)
        return leaf

    def _saw_time(self, tile: int, moment: str) -> None:
        first, last = self.spans.get(tile, (moment, moment))
        if moment <= first or moment >= last:
            self.spans[tile] = min(first, moment), max(last, moment)

    def _wrong_tile(self, start: int, hashes: Sequence[bytes], stored: bytes) -> None:
        held = [stored[i : i + HASH_BYTES] for i in range(0, len(stored), HASH_BYTES)]
        at = next(
            (i for i, (a, b) in enumerate(zip(hashes, held, strict=False)) if a != b), min(len(hashes), len(held))
        )
        self.report.fault(start + at, "entry and tile of level 0 do not belong together")


def _safely(row: Row, event: dict[str, Any], leaf: bytes) -> list[str]:
    try:
        return wrong_columns(row.columns, row.entry, event, leaf) if row.columns else []
    except (KeyError, TypeError):
        return ["event"]


def scan_entries(source: Source, scan: Scan, wanted: frozenset[int]) -> bool:
    """Take all entries, tile by tile; whether they are there without a gap, and few enough are wrong to go on."""
    tiles = _Tiles(source.tiles(0))
    waiting: list[Row] = []
    missing: int | None = None
    for row in source.rows():
        expected = scan.tree.size + len(waiting)
        if row.idx != expected:
            missing = expected
            break
        waiting.append(row)
        if len(waiting) == TILE_WIDTH:
            scan.tile(waiting, tiles.at(expected // TILE_WIDTH), wanted)
            waiting = []
            if scan.report.full:
                return False
    if waiting:
        scan.tile(waiting, tiles.at(scan.tree.size // TILE_WIDTH), wanted)
    if missing is not None:
        scan.report.fault(missing, "it is missing")
    return missing is None and not scan.report.full


class _Tiles:
    """Tiles of one level as they are asked for in order; those that are missing are empty."""

    def __init__(self, stored: Iterator[tuple[int, bytes]]) -> None:
        self._stored = stored
        self._next = next(stored, None)

    def at(self, n: int) -> bytes:
        while self._next is not None and self._next[0] < n:
            self._next = next(self._stored, None)
        return self._next[1] if self._next is not None and self._next[0] == n else b""
