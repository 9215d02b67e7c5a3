"""An export as CSV: the rows are hashed as they come, and what people read in them is held against the leaf."""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .columns import NAMES, said_by
from .export import Check, end_of, read_manifest
from .faults import Bad, Report
from .notes import Key
from .policy import NO_WITNESS, Policy
from .tree import leaf_hash

FORMAT = "consilium-audit-export-csv/1"
STEERING = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def verify_sheet(lines: Iterable[bytes], keys: Sequence[Key], policy: Policy = NO_WITNESS) -> Report:
    """Check an export row by row, as `verify_export` does its lines; each readable cell must say what its leaf says.

    Raises: Bad: it does not begin as an export does, or its checkpoint is not the log's.
    """
    rows = _Rows(lines)
    stream = iter(rows)
    if next(stream, []) != list(NAMES):
        raise Bad("not an export: the first row does not name its columns")
    check = Check(*read_manifest(_note(next(stream, []), "manifest"), FORMAT, keys, policy))
    end: dict[str, Any] | None = None
    for row in stream:
        if end is not None:
            check.report.fault(None, "there is something behind the end")
            break
        if row[:1] == ["end"]:
            end = end_of(_note(row, "end")) or {}
            digest = rows.before
        else:
            _check_row(check, row)
            if check.report.full:
                break
    check.finish(end, digest if end is not None else "")
    return check.report


class _Rows:
    """Rows, with the digest of all that stood before the present one."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines, self._whole = lines, hashlib.sha256()
        self.before = ""

    def __iter__(self) -> Iterator[list[str]]:
        reader = csv.reader(self._read(), strict=True)
        while True:
            self.before = self._whole.hexdigest()
            try:
                yield next(reader)
            except StopIteration:
                return
            except (csv.Error, UnicodeDecodeError) as error:
                raise Bad("it is not CSV in UTF-8") from error

    def _read(self) -> Iterator[str]:
        for line in self._lines:
            self._whole.update(line)
            yield line.decode()


def _note(row: Sequence[str], name: str) -> bytes:
    if len(row) != len(NAMES) or row[0] != name:
        return b""
    try:
        return base64.b64decode(row[NAMES.index("leaf")], validate=True)
    except (binascii.Error, ValueError):
        return b""


def _check_row(check: Check, row: Sequence[str]) -> None:
    cells = dict(zip(NAMES, row, strict=False))
    try:
        index, entry = int(cells["index"]), base64.b64decode(cells["leaf"], validate=True)
        proof = [base64.b64decode(one, validate=True) for one in cells["proof"].removeprefix("'").split()]
        known = len(row) == len(NAMES) and cells["index"] == str(index)
    except (KeyError, ValueError):
        known = False
    if not known:
        check.unreadable("row", 3)
        return
    event = check.entry(index, entry, proof)
    try:
        said = said_by(entry, event) | {"leafHash": base64.b64encode(leaf_hash(entry)).decode()}
    except (KeyError, TypeError, AttributeError):
        return
    for name, value in said.items():
        if cells[name] != _guarded("" if value is None else str(value)):
            check.report.fault(index, f"its column {name} is not what the leaf says")


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(STEERING) else cell
