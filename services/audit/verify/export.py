"""An export of the log: a manifest with the signed checkpoint, entries with their proofs, and an end that counts them.

One JSON document a line. Nothing else is needed to check it, and no network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from .entries import event_of
from .faults import Bad, Report
from .notes import Checkpoint, Key, hash_of, open_checkpoint
from .policy import NO_WITNESS, Policy
from .producers import Producers
from .tree import leaf_hash, root_from_path

FORMAT = "consilium-audit-export/1"
RANGE = frozenset({"first_index", "last_index"})
FIELDS = {
    "type": "type",
    "subtype": "subtype",
    "producer": "producer",
    "outcome": "outcome",
    "subject_ref": "subjectRef",
    "purpose": "purposeOfUse",
}


def verify_export(lines: Iterable[bytes], keys: Sequence[Key], policy: Policy = NO_WITNESS) -> Report:
    """Check an export line by line.

    A good one proves that each of its entries is in the signed log. Without a filter other than a range it also proves
    that no entry of the range was left out (`complete`).

    Raises: Bad: the first line is not that of an export, or its checkpoint is not the log's.
    """
    stream, whole = iter(lines), hashlib.sha256()
    first = next(stream, b"")
    check = Check(*read_manifest(first, FORMAT, keys, policy))
    whole.update(first)
    end: dict[str, Any] | None = None
    for line in stream:
        if end is not None:
            check.report.fault(None, "there is something behind the end")
            break
        end = end_of(line)
        if end is None:
            whole.update(line)
            _check_line(check, line)
            if check.report.full:
                break
    check.finish(end, whole.hexdigest())
    return check.report


def _check_line(check: Check, line: bytes) -> None:
    try:
        index, entry, proof = _parts(line)
    except (ValueError, KeyError, TypeError, RecursionError, Bad):
        check.unreadable("line", 2)
        return
    check.entry(index, entry, proof)


class Check:
    """What all forms of an export are checked for, entry by entry."""

    def __init__(self, manifest: dict[str, Any], checkpoint: Checkpoint) -> None:
        self.report, self._checkpoint = Report(), checkpoint
        self._filter: dict[str, Any] = manifest.get("filter") or {}
        self._count, self._last = 0, -1
        self._complete = set(self._filter) <= RANGE
        self._expected = self._filter.get("first_index", 0)
        self._producers = Producers()

    def unreadable(self, what: str, first: int) -> None:
        """Note that the next line or row, of which entries begin at number `first`, is no entry."""
        self.report.fault(None, f"{what} {self._count + first} is not an entry of an export")
        self._count += 1

    def entry(self, index: int, entry: bytes, proof: Sequence[bytes]) -> dict[str, Any]:
        """Check one entry; gives its event, or nothing where it is none."""
        self._count += 1
        try:
            root = root_from_path(index, self._checkpoint.size, leaf_hash(entry), proof)
            if root != self._checkpoint.root:
                self.report.fault(index, "it is not this entry of the signed log: the proof leads to another root")
        except Bad as error:
            self.report.fault(index, str(error))
        event = event_of(entry)
        if event is None or not self._is_wanted(event, index):
            self.report.fault(index, "it is not what the manifest's filter asks for")
        elif self._complete:
            self._producers.saw(event)
        self._place(index)
        return event or {}

    def _place(self, index: int) -> None:
        if index <= self._last:
            self.report.fault(index, "the entries are not in the order of the log")
        elif self._complete and index != self._expected:
            self.report.fault(self._expected, "it is missing from the export")
        self._last, self._expected = index, index + 1

    def _is_wanted(self, event: dict[str, Any], index: int) -> bool:
        try:
            return self._wanted(event, index)
        except (KeyError, TypeError, AttributeError):
            return False

    def _wanted(self, event: dict[str, Any], index: int) -> bool:
        wanted = self._filter
        thing, model = event.get("object") or {}, (event.get("details") or {}).get("bundleDigest")
        return (
            all(event.get(field) == wanted[name] for name, field in FIELDS.items() if name in wanted)
            and wanted.get("actor", event["actor"]["subject"]) == event["actor"]["subject"]
            and wanted.get("model", model) == model
            and wanted.get("object_id", thing.get("id")) == thing.get("id")
            and wanted.get("occurred_from", "") <= event["occurredAt"]
            and event["occurredAt"] < wanted.get("occurred_to", "~")
            and wanted.get("first_index", index) <= index <= wanted.get("last_index", index)
        )

    def finish(self, end: dict[str, Any] | None, digest: str) -> None:
        """Check that it is all there."""
        if end is None:
            self.report.fault(None, "the export has no end: it was cut")
        elif end.get("entries") != self._count or end.get("sha256") != digest:
            what = "the end does not belong to the lines before it: some were taken out, added or changed"
            self.report.fault(None, what)
        self.conclude()

    def conclude(self) -> None:
        """Check that nothing is missing where that can be known, and say what was found."""
        report = self.report
        last = min(self._filter.get("last_index", self._checkpoint.size - 1), self._checkpoint.size - 1)
        if self._complete and not report.full and self._expected <= last:
            report.fault(self._expected, "it is missing from the export")
        report.facts |= {
            "log": self._checkpoint.origin, "treeSize": self._checkpoint.size, "entries": self._count,
            "filter": self._filter, "complete": self._complete and report.good,
        }  # fmt: skip
        if self._complete and not self._filter:
            report.facts |= self._producers.facts()


def read_manifest(line: bytes, form: str, keys: Sequence[Key], policy: Policy) -> tuple[dict[str, Any], Checkpoint]:
    """The manifest and the checkpoint of an export of this form. Raises: Bad: there is none, or not the log's."""
    try:
        head = json.loads(line)
        manifest, note = head["manifest"], head["checkpoint"]
        known = manifest["format"] == form and isinstance(note, str) and _is_filter(manifest["filter"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Bad("not an export: the first line holds no manifest") from error
    if not known:
        raise Bad(f"not an export of the form {form}")
    checkpoint = open_checkpoint(note, keys, policy.keys)
    if not policy.holds_for(checkpoint):
        raise Bad("the checkpoint is not cosigned by a quorum of the witnesses")
    if (manifest.get("origin"), manifest.get("size")) != (checkpoint.origin, checkpoint.size):
        raise Bad("the manifest does not belong to the checkpoint")
    return manifest, checkpoint


def _is_filter(value: Any) -> bool:
    """Whether this is a filter as the log writes it."""
    numbers = [value.get(name, 0) for name in RANGE]
    return isinstance(value, dict) and all(type(number) is int and number >= 0 for number in numbers)


def end_of(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b'{"end":'):
        return None
    try:
        end = json.loads(line)["end"]
    except (ValueError, RecursionError):
        return {}
    return end if isinstance(end, dict) else {}


def _parts(line: bytes) -> tuple[int, bytes, list[bytes]]:
    """Index, the leaf's very bytes, and the proof."""
    head, leaf_mark, rest = line.rstrip(b"\n").partition(b',"leaf":')
    entry, proof_mark, proof = rest.rpartition(b',"proof":')
    index = json.loads(head + b"}")["index"]
    if not leaf_mark or not proof_mark or type(index) is not int:
        raise ValueError("not an entry")
    return index, entry, [hash_of(text, "proof") for text in json.loads(proof[:-1])]
