"""Parquet files of samples: the columns of an Arrow stream, read some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from services.vitals.columns import SLICE, ColumnReader, arrow, check_schema
from services.vitals.domain import Sample
from services.vitals.errors import NotColumns
from services.vitals.imports.bounds import Damaged
from services.vitals.imports.items import Checked, Item, Refused
from services.vitals.imports.pieces import PIECE_BYTES

if TYPE_CHECKING:
    from pyarrow import RecordBatch

MAGIC = b"PAR1"
MAX_ROWS = 100_000_000
"""A file of some bytes can say that it holds any number of equal rows."""
MAX_CHUNK_BYTES = 2**28
"""Of one column in one group of rows, unpacked. A group of a million rows has eight megabytes of each number."""


def check_file(source: IO[bytes], patient: str) -> None:
    """Whether a file can be read as samples, by its footer. Raises: NotColumns, ArrowMissing."""
    with _damage_as(NotColumns("file", "is damaged", "write the file again")):
        file = _open(source)
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    names = set(file.schema_arrow.names)
    if "patient" not in names and not patient:
        raise NotColumns("patient", "is missing", "send this column, or the patient's identifier with the file")
    check_schema(file.schema_arrow, without=() if "patient" in names else ("patient",))
    if file.metadata.num_rows > MAX_ROWS:
        raise NotColumns("file", f"holds more than {MAX_ROWS} rows", "split the file")
    chunks = (group.column(number) for group in groups for number in range(group.num_columns))
    if any(chunk.total_uncompressed_size > MAX_CHUNK_BYTES for chunk in chunks):
        raise NotColumns("file", f"has a column chunk over {MAX_CHUNK_BYTES} bytes", "write smaller groups of rows")


def read(source: IO[bytes], patient: str, received_at: datetime) -> Iterator[Item]:
    """The samples of a file that `check_file` took, row by row; where it is damaged, those before, and the damage."""
    row, reader = 0, ColumnReader(received_at)
    try:
        for rows in _slices(source, patient):
            for found in reader.read(rows):
                row += 1
                yield Checked(f"row {row}", found) if isinstance(found, Sample) else Refused(f"row {row}", found)
    except Damaged as damage:
        yield damage.at(f"after row {row}")


def _slices(source: IO[bytes], patient: str) -> Iterator[RecordBatch]:
    """Raises: Damaged."""
    with _damage_as(Damaged("breaks off or is damaged")):
        file = _open(source)
        # When a file was written says nothing of when it came.
        names = [name for name in file.schema_arrow.names if name != "sent"]
        groups = range(file.metadata.num_row_groups)
        # One by one: a damaged group takes no rows of the one before with it.
        for rows in chain.from_iterable(file.iter_batches(SLICE, [group], names) for group in groups):
            rows.validate(full=True)
            if "patient" not in names:
                rows = rows.append_column("patient", arrow().repeat(patient, len(rows)))
            if len(rows):
                yield rows


@contextmanager
def _damage_as(told: Exception) -> Iterator[None]:
    """Tell what the library says of bytes as something of our own: its words may quote them."""
    try:
        yield
    except (arrow().ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the file could not be read, which says nothing of the file
        raise told from error


def _open(source: IO[bytes]) -> Any:
    from pyarrow import parquet

    # Buffered reads, a piece at a time: else each column of a group of rows is held whole.
    options = {"pre_buffer": False, "page_checksum_verification": True}
    return parquet.ParquetFile(source, buffer_size=PIECE_BYTES, **options)
