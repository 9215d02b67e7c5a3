"""An export as Parquet, read with `pyarrow` a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .columns import NAMES, said_by
from .export import Check, read_manifest
from .faults import Bad, CannotCheck, Report
from .notes import Key
from .policy import NO_WITNESS, Policy
from .tree import leaf_hash

FORMAT = "consilium-audit-export-parquet/1"
BATCH = 1_000


def verify_parquet(path: Path, keys: Sequence[Key], policy: Policy = NO_WITNESS) -> Report:
    """Check an export; each readable column must say what its leaf says.

    A file that was cut has no footer and cannot be read, so there is no end that counts.
    Raises: Bad: it is no export, or its checkpoint is not the log's. CannotCheck: `pyarrow` is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise CannotCheck("an export in Parquet is read with the package pyarrow: pip install pyarrow") from error
    try:
        with parquet.ParquetFile(path) as file:
            check = Check(*_head(file.schema_arrow, keys, policy))
            for batch in file.iter_batches(BATCH):
                for row in batch.to_pylist():
                    _check_row(check, row)
                if check.report.full:
                    break
    except (pyarrow.ArrowException, OSError) as error:
        raise Bad("it is not a whole Parquet file") from error
    check.conclude()
    return check.report


def _head(schema: Any, keys: Sequence[Key], policy: Policy) -> Any:
    said = schema.metadata or {}
    manifest, note = (said.get(b"consilium:" + name, b"") for name in (b"manifest", b"checkpoint"))
    if schema.names != list(NAMES):
        raise Bad("not an export: the columns are others")
    return read_manifest(_joined(manifest, note), FORMAT, keys, policy)


def _joined(manifest: bytes, note: bytes) -> bytes:
    return b'{"manifest":%b,"checkpoint":%b}' % (manifest, json.dumps(note.decode("utf-8", "replace")).encode())


def _check_row(check: Check, row: dict[str, Any]) -> None:
    index, entry, proof = row["index"], row["leaf"], row["proof"]
    if type(index) is not int or not isinstance(entry, bytes) or not isinstance(proof, list) or None in proof:
        check.unreadable("row", 1)
        return
    event = check.entry(index, entry, proof)
    try:
        said = said_by(entry, event) | {"leafHash": leaf_hash(entry)}
    except (KeyError, TypeError, AttributeError):
        return
    for name, value in said.items():
        if _plain(row[name]) != value:
            check.report.fault(index, f"its column {name} is not what the leaf says")


def _plain(value: Any) -> Any:
    """Times as the leaf spells them."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if hasattr(value, "strftime") else value
