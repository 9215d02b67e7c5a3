"""The whole log: every entry hashed again, every tile, checkpoint, copy and side table held against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .databases import DatabaseSource, open_postgres, open_sqlite
from .entries import Row, event_of, wrong_columns
from .faults import Bad, Report
from .mirrors import Mirror
from .notes import Checkpoint, Key, open_checkpoint
from .policy import NO_WITNESS, Policy
from .producers import Producers
from .sides import SideTables
from .tree import HASH_BYTES, TILE_WIDTH, GrowingTree, fold, leaf_hash

Source = DatabaseSource | Mirror


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
        leaf = leaf_hash(row.entry)
        event = event_of(row.entry)
        if event is None:
            self.report.fault(row.index, "it is not an event")
            return leaf
        self.producers.saw(event)
        if row.columns is not None:
            for name in _safely(row, event, leaf):
                self.report.fault(row.index, f"column {name} is not what the entry says")
            if self.sides is not None:
                for what in self.sides.wrong_at(row.index, event):
                    self.report.fault(row.index, what)
        return leaf

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


@contextmanager
def open_source(place: str) -> Iterator[Source]:
    """A SQLite file or URL, a PostgreSQL URL, the address of `/audit`, or a directory of tiles. Raises: CannotCheck."""
    if place.startswith("postgresql"):
        with open_postgres(place) as postgres:
            yield postgres
    elif place.startswith(("http://", "https://")) or Path(place).is_dir():
        yield Mirror(place)
    else:
        with open_sqlite(Path(place.removeprefix("sqlite:///"))) as sqlite:
            yield sqlite


def verify_log(
    source: Source, keys: Sequence[Key], held: Sequence[Checkpoint] = (), policy: Policy = NO_WITNESS
) -> Report:
    """Check a whole log.

    Args:
        held: checkpoints kept elsewhere: the log must continue each of them.
        policy: who must have cosigned; the newest checkpoint with a quorum is reported, and must exist.

    Raises: Bad: the source cannot be read as a log. CannotCheck.
    """
    report = Report({"log": keys[0].name})
    signed = list(_signed(source, keys, policy, report))
    scan = Scan(report, {checkpoint.size: checkpoint.root for checkpoint in signed})
    if isinstance(source, DatabaseSource):
        scan.sides = source.side_tables()
    wanted = frozenset(scan.stored) | {checkpoint.size for checkpoint in held}
    scan.reached(0, wanted)
    whole = scan_entries(source, scan, wanted)
    size, newest = scan.tree.size, max(scan.stored, default=0)
    if whole:
        _check_ends(source, scan, newest)
        _check_upper_tiles(source, scan)
    for checkpoint in held:
        _check_held(scan, checkpoint)
    if policy is not NO_WITNESS:
        _check_witnessed(report, signed, policy)
    report.facts |= {"entries": size, "signed": newest, "checkpoints": len(signed), **scan.producers.facts()}
    return report


def _signed(source: Source, keys: Sequence[Key], policy: Policy, report: Report) -> Iterator[Checkpoint]:
    if isinstance(source, Mirror):
        yield open_checkpoint(source.note, keys, policy.keys)
        return
    lines = source.cosignatures() if policy.keys else {}
    for size, root, note in source.notes():
        try:
            checkpoint = open_checkpoint(note, keys)
        except Bad as error:
            report.fault(None, f"the checkpoint stored for size {size}: {error}")
            continue
        if (checkpoint.size, checkpoint.root) != (size, root):
            report.fault(None, f"the columns of the checkpoint for size {size} are not what its note says")
        if size in lines:
            try:
                checkpoint = open_checkpoint(note + "".join(lines[size]), keys, policy.keys)
            except Bad as error:
                report.fault(None, f"a cosignature of the checkpoint for size {size}: {error}")
        yield checkpoint


def scan_entries(source: Source, scan: Scan, wanted: frozenset[int]) -> bool:
    """Take all entries, tile by tile; whether they are there without a gap, and few enough are wrong to go on."""
    tiles = source.tiles(0)
    waiting: list[Row] = []
    missing: int | None = None
    for row in source.rows():
        expected = scan.tree.size + len(waiting)
        if row.index != expected:
            missing = expected
            break
        waiting.append(row)
        if len(waiting) == TILE_WIDTH:
            scan.tile(waiting, _next_tile(tiles, expected // TILE_WIDTH), wanted)
            waiting = []
            if scan.report.full:
                return False
    if waiting:
        scan.tile(waiting, _next_tile(tiles, scan.tree.size // TILE_WIDTH), wanted)
    if missing is not None:
        scan.report.fault(missing, "it is missing")
    return missing is None and not scan.report.full


def _next_tile(tiles: Iterator[tuple[int, bytes]], n: int) -> bytes:
    for number, hashes in tiles:
        if number == n:
            return hashes
        if number > n:
            break
    return b""


def _check_ends(source: Source, scan: Scan, newest: int) -> None:
    report, size = scan.report, scan.tree.size
    if size < newest:
        report.fault(size, f"it is missing: {newest} entries were signed")
    if isinstance(source, DatabaseSource):
        if source.size() != size:
            report.fault(size, f"the coordinate says {source.size()} entries, and there are {size}")
        for index in source.repeated_events():
            report.fault(index, "its event is in the log twice")
        for index, what in scan.sides.left_over() if scan.sides else ():
            report.fault(index, what)


def _check_upper_tiles(source: Source, scan: Scan) -> None:
    hashes, level = scan.folded, 1
    while hashes or level <= source.top_level():
        span = TILE_WIDTH**level
        stored = dict(source.tiles(level))
        for n in range(max(-(-len(hashes) // TILE_WIDTH), max(stored, default=-1) + 1)):
            true = b"".join(hashes[n * TILE_WIDTH : (n + 1) * TILE_WIDTH])
            if stored.get(n, b"") != true:
                start, width = n * TILE_WIDTH * span, TILE_WIDTH * span
                what = f"tile {n} of level {level} does not belong to the entries"
                scan.report.fault_within(start, start + width, what)
        whole = len(hashes) // TILE_WIDTH
        hashes = [fold(hashes[n * TILE_WIDTH : (n + 1) * TILE_WIDTH]) for n in range(whole)]
        level += 1


def _check_held(scan: Scan, held: Checkpoint) -> None:
    if held.size > scan.tree.size:
        what = f"rollback: a checkpoint kept elsewhere has {held.size} entries, and the log has {scan.tree.size}"
        scan.report.fault(scan.tree.size, what)
    elif scan.roots.get(held.size) != held.root:
        what = f"fork: the first {held.size} entries are not those of a checkpoint kept elsewhere"
        scan.report.fault(None, what)


def _check_witnessed(report: Report, signed: Sequence[Checkpoint], policy: Policy) -> None:
    witnessed = [checkpoint for checkpoint in signed if policy.holds_for(checkpoint)]
    if not witnessed:
        report.fault(None, "no checkpoint is cosigned by a quorum of the witnesses")
        return
    newest = max(witnessed, key=lambda checkpoint: checkpoint.size)
    by = {key.name: time for key, time in newest.cosigned}
    report.facts["witnessed"] = {"size": newest.size, "by": by}
