"""The whole log: every entry hashed again, every tile, checkpoint, copy and side table held against them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .databases import DatabaseSource
from .faults import Bad, Report
from .mirrors import Mirror
from .notes import Checkpoint, Key, open_checkpoint
from .policy import NO_WITNESS, Policy
from .scan import Scan, scan_entries
from .sources import Source
from .tree import TILE_WIDTH, fold


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
    scan = Scan(report)
    witnessed: Checkpoint | None = None
    # Of each checkpoint only the root is kept: there may be as many as entries.
    for checkpoint in _signed(source, keys, policy, report):
        scan.stored[checkpoint.size] = checkpoint.root
        if policy.keys and policy.holds_for(checkpoint):
            witnessed = checkpoint
    if isinstance(source, DatabaseSource):
        scan.sides = source.side_tables()
    wanted = frozenset(scan.stored) | {checkpoint.size for checkpoint in held}
    scan.reached(0, wanted)
    newest = max(scan.stored, default=0)
    if scan_entries(source, scan, wanted):
        _check_ends(source, scan, newest)
        _check_upper_tiles(source, scan)
    for checkpoint in held:
        _check_held(scan, checkpoint)
    report.facts |= {"entries": scan.tree.size, "signed": newest, "checkpoints": len(scan.stored)}
    report.facts |= scan.producers.facts()
    if policy.keys:
        _report_witnessed(report, witnessed)
    return report


def _signed(source: Source, keys: Sequence[Key], policy: Policy, report: Report) -> Iterator[Checkpoint]:
    """The log's checkpoints, by size."""
    if isinstance(source, Mirror):
        if policy.keys and (cosigned := source.cosigned()) is not None:
            yield open_checkpoint(cosigned, keys, policy.keys)
        yield open_checkpoint(source.note, keys, policy.keys)
        return
    lines = source.cosignatures() if policy.keys else {}
    for size, root, note in source.notes():
        try:
            checkpoint = open_checkpoint(str(note), keys)
        except Bad as error:
            report.fault(None, f"the checkpoint stored for size {size}: {error}")
            continue
        if (checkpoint.size, checkpoint.root) != (size, root):
            report.fault(None, f"the columns of the checkpoint for size {size} are not what its note says")
        if size in lines:
            try:
                checkpoint = open_checkpoint(note + "".join(map(str, lines[size])), keys, policy.keys)
            except Bad as error:
                report.fault(None, f"a cosignature of the checkpoint for size {size}: {error}")
        yield checkpoint


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
        _check_spans(report, source.spans(), scan.spans)


def _check_spans(report: Report, said: dict[int, tuple[str, str]] | None, true: dict[int, tuple[str, str]]) -> None:
    if said is None:
        return
    for tile in sorted(said.keys() | true.keys()):
        if said.get(tile) != true.get(tile):
            start = tile * TILE_WIDTH
            what = "the times that table leaf_span says of its tile are not those of the entries"
            report.fault_within(start, start + TILE_WIDTH, what)


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


def _report_witnessed(report: Report, witnessed: Checkpoint | None) -> None:
    if witnessed is None:
        report.fault(None, "no checkpoint is cosigned by a quorum of the witnesses")
        return
    report.facts["witnessed"] = {"size": witnessed.size, "by": {key.name: time for key, time in witnessed.cosigned}}
