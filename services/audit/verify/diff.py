"""Two checkpoints of one log: does the later continue the earlier?"""

from __future__ import annotations

import json
from pathlib import Path

from .faults import Report
from .notes import Checkpoint
from .scan import Scan, scan_entries
from .sources import Source
from .tree import EMPTY_ROOT

FORMAT = "consilium-audit-fork/1"


def compare(earlier: Checkpoint, later: Checkpoint, source: Source | None = None) -> Report | None:
    """What two checkpoints, one seen after the other, say of their log: `consistent`, `rollback` or `fork`.

    None: they are of different sizes, and only the log's entries could tell (`source`).
    """
    report = Report({"log": earlier.origin, "sizes": [earlier.size, later.size]})
    verdict = _by_themselves(earlier, later)
    if verdict is None and source is not None:
        verdict = _by_entries(earlier, later, source, report)
    if verdict is None:
        return None
    report.facts["verdict"] = verdict
    if verdict == "rollback":
        report.fault(later.size, f"rollback: {earlier.size} entries were signed before, and {later.size} after")
    if verdict == "fork":
        report.fault(None, "fork: the log's key has signed two histories")
    return report


def _by_themselves(earlier: Checkpoint, later: Checkpoint) -> str | None:
    if earlier.size == later.size:
        return "consistent" if earlier.root == later.root else "fork"
    if earlier.size > later.size:
        return "rollback"
    if earlier.size == 0:
        return "consistent" if earlier.root == EMPTY_ROOT else "fork"
    return None


def _by_entries(earlier: Checkpoint, later: Checkpoint, source: Source, report: Report) -> str | None:
    """The entries of the later tree show the root that the earlier should have had."""
    scan = Scan(Report())
    scan_entries(source, scan, frozenset({earlier.size, later.size}))
    if scan.roots.get(later.size) != later.root:
        return None
    report.facts["rootAtEarlierSize"] = scan.roots[earlier.size].hex()
    return "consistent" if scan.roots[earlier.size] == earlier.root else "fork"


def write_evidence(path: Path, earlier: Checkpoint, later: Checkpoint, report: Report) -> None:
    """Write both notes, with the signatures that their signer cannot disown, and what they were found to be."""
    notes = {"earlier": earlier.note, "later": later.note}
    path.write_text(json.dumps({"format": FORMAT, **report.as_json(), "notes": notes}, indent=1) + "\n", "utf-8")
