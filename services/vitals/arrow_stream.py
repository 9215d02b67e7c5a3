"""Reads an Arrow IPC stream (the format's specification, "IPC Streaming Format") that a stranger sent."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from services.vitals.columns import SLICE, arrow, check_schema
from services.vitals.errors import NotColumns, TooManyRows

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyarrow.ipc import Message

MAX_ROWS = 500_000
"""Of one body: dictionaries let 64 MiB be millions of rows, each an object of its own here. As many lines as that fill
a body of NDJSON."""
_DAMAGED = ("body", "is no whole Arrow IPC stream", "send the stream as a RecordBatchStreamWriter writes it")
_HEADER_TYPE, _HEADER = 1, 2
"""Fields of a Message (Message.fbs)."""
_DICTIONARY_BATCH, _DICTIONARY_DATA, _COMPRESSION = 2, 1, 3


def read_slices(body: IO[bytes]) -> Iterator[RecordBatch]:
    """The rows of a stream in slices. Raises: NotColumns, TooManyRows, ArrowMissing."""
    pyarrow, ipc = arrow(), _ipc()
    try:
        for message in ipc.MessageReader.open_stream(body):
            if message.type != "schema" and _is_compressed(message):
                # It would unpack to a thousand times its length before anything could look at it.
                raise NotColumns("body", "is compressed", "write the stream without compression")
        body.seek(0)
        with ipc.open_stream(body) as stream:
            check_schema(stream.schema)
            rows = 0
            for batch in stream:
                batch.validate(full=True)
                if (rows := rows + len(batch)) > MAX_ROWS:
                    raise TooManyRows(MAX_ROWS)
                yield from (batch.slice(start, SLICE) for start in range(0, len(batch), SLICE))
    except (pyarrow.ArrowException, OSError, ValueError, struct.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the body could not be read, which says nothing of it
        raise NotColumns(*_DAMAGED) from error


def _ipc() -> Any:
    from pyarrow import ipc

    return ipc


def _is_compressed(message: Message) -> bool:
    """Whether a batch has a BodyCompression. The library tells only by unpacking it."""
    content = memoryview(message.metadata)
    root = _table(content, 0)
    batch = _table(content, root + _field(content, root, _HEADER))
    if content[root + _field(content, root, _HEADER_TYPE)] == _DICTIONARY_BATCH:
        batch = _table(content, batch + _field(content, batch, _DICTIONARY_DATA))
    return _field(content, batch, _COMPRESSION) > 0


def _table(content: memoryview, reference: int) -> int:
    """Where the table lies that a reference leads to (FlatBuffers' binary format)."""
    return reference + int(struct.unpack_from("<I", content, reference)[0])


def _field(content: memoryview, table: int, number: int) -> int:
    """How far behind a table's start its field lies; 0 where it has none."""
    entries = table - struct.unpack_from("<i", content, table)[0]
    (length,) = struct.unpack_from("<H", content, entries)
    entry = 4 + 2 * number
    return int(struct.unpack_from("<H", content, entries + entry)[0]) if entry < length else 0
