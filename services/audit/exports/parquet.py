"""Entries as Parquet for data tools: leaf and proof as bytes, manifest and checkpoint in the file's own metadata.

A row group at a time leaves, so that an export takes the memory of one, however long it is. `pyarrow` is an extra.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from services.audit.errors import ParquetMissing
from services.audit.exports import Head
from services.audit.exports.columns import TEXTS, TIMES, told
from services.audit.usecases.exports import Proven
from shared.digests import canonical_json

ROW_GROUP = 5_000


def arrow() -> Any:
    """The library. Raises: ParquetMissing."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ParquetMissing from error
    return pyarrow


def write_parquet(head: Head, proven: Iterator[Proven]) -> Iterator[bytes]:
    """The file, piece by piece. Raises: ParquetMissing."""
    pyarrow = arrow()
    schema, sink = _schema(pyarrow, head), _Sink()
    with pyarrow.parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        while group := list(islice(proven, ROW_GROUP)):
            writer.write_table(pyarrow.Table.from_pylist([_row(one) for one in group], schema=schema))
            yield sink.take()
    yield sink.take()


def _schema(pyarrow: Any, head: Head) -> Any:
    moment, octets = pyarrow.timestamp("us", tz="UTC"), pyarrow.binary()
    fields = [
        ("index", pyarrow.int64()),
        *((name, moment) for name in TIMES),
        *((name, pyarrow.string()) for name in TEXTS),
        ("leafHash", octets),
        ("leaf", octets),
        ("proof", pyarrow.list_(octets)),
    ]
    said = {"consilium:manifest": canonical_json(head.manifest), "consilium:checkpoint": head.checkpoint.encode()}
    return pyarrow.schema(fields, metadata=said)


def _row(proven: Proven) -> dict[str, Any]:
    entry, hashes = proven
    said: dict[str, Any] = dict(told(entry))
    for name in TIMES:
        said[name] = datetime.fromisoformat(said[name])
    return {**said, "index": entry.index, "leafHash": entry.leaf_hash, "leaf": entry.entry, "proof": hashes}


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """It takes bytes."""
        return True

    def write(self, piece: Any) -> int:
        """Keep a copy: the writer uses its buffer again."""
        self._pieces.append(bytes(piece))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """All that was written since the last time."""
        taken, self._pieces = b"".join(self._pieces), []
        return taken
