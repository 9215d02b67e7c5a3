"""Tables as datasets bring them: CSV, plain or gzipped, read row by row, each complaint with its file and line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import math
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, TypeVar

from services.diagnosis.datasets.base import DatasetError, Place

T = TypeVar("T")
MAX_FIELD = 4 * 1024 * 1024
"""Characters of the longest field, a discharge letter; the csv module's own limit is 131072."""


@dataclass(frozen=True)
class Row:
    """One row. What is wrong is told by file, row and column, never by quoting the value: it may be a patient's."""

    place: Place
    values: Mapping[str, str]

    def text(self, column: str) -> str | None:
        """A field without surrounding space; None where it is empty."""
        return self.values[column].strip() or None

    def required(self, column: str) -> str:
        """Raises: DatasetError: the field is empty."""
        value = self.text(column)
        if value is None:
            raise DatasetError(self.place, f"The field {column} is empty.", "Fill it in or remove the row.")
        return value

    def note(self, column: str) -> str | None:
        """A note, verbatim; None where there is none.

        Raises: DatasetError: a note of nothing but space, which is a note that was lost on its way.
        """
        text = self.values[column]
        if text and not text.strip():
            problem, fix = f"The note in {column} holds nothing but space.", "Restore its text, or empty the field."
            raise DatasetError(self.place, problem, fix)
        return text or None

    def number(self, column: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """A number in [low, high]; None where the field is empty. Raises: DatasetError."""
        text = self.text(column)
        return None if text is None else number(text, column, self.place, low, high)

    def choice(self, column: str, known: Mapping[str, T]) -> T | None:
        """What a field's word stands for; None where it is empty. Raises: DatasetError."""
        text = self.text(column)
        if text is None:
            return None
        if text not in known:
            problem = f"The field {column} holds an unknown value."
            raise DatasetError(self.place, problem, f"Use one of {', '.join(known)}.")
        return known[text]


def number(text: str, column: str, place: Place, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number in [low, high]. Raises: DatasetError."""
    try:
        value = float(text.replace("_", "?"))  # Python alone reads 1_000 as a number
    except ValueError:
        raise DatasetError(place, f"The field {column} is not a number.", "Write it with a decimal point.") from None
    if not math.isfinite(value) or not low <= value <= high:
        problem = f"The field {column} is outside {low:g} to {high:g}."
        raise DatasetError(place, problem, "Correct the number, or leave the field empty where it is unknown.")
    return value


def read_rows(file: Path, columns: Collection[str]) -> Iterator[Row]:
    """The rows of a table, one in memory at a time.

    Args:
        columns: names that the header must hold; others may be there as well.
    Raises: DatasetError: missing or unreadable file, missing columns, a row of another length than the header.
    """
    lines = read_lines(file)
    header = _header(lines, file, columns)
    for row, fields in lines:
        place = Place(file, row)
        if len(fields) != len(header):
            problem = f"The row has {len(fields)} fields, the header {len(header)}."
            raise DatasetError(place, problem, "Quote fields that hold commas, quotes or line breaks.")
        yield Row(place, dict(zip(header, fields, strict=True)))


def read_lines(file: Path) -> Iterator[tuple[int, list[str]]]:
    """(line of the file where it begins, fields) of every line with something in it, the header included.

    Raises: DatasetError: missing or unreadable file.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_FIELD))
    end = 0
    try:
        with _open(file) as stream:
            reader = csv.reader(stream, strict=True)
            for fields in reader:
                start, end = end + 1, reader.line_num
                if fields:
                    yield start, fields
    except FileNotFoundError:
        raise DatasetError(Place(file), "The file is missing.", "Download it, or correct --path.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        what = "UTF-8 text" if isinstance(error, UnicodeDecodeError) else "well-formed CSV"
        raise DatasetError(Place(file, end + 1), f"Not {what} here.", "Export it again as UTF-8 CSV.") from None
    except (OSError, EOFError, zlib.error):
        raise DatasetError(Place(file, end + 1), "The file breaks off here.", "Copy or download it again.") from None


def _open(file: Path) -> TextIO:
    if file.suffix == ".gz":
        return gzip.open(file, "rt", encoding="utf-8-sig", newline="")
    return file.open(encoding="utf-8-sig", newline="")


def _header(lines: Iterator[tuple[int, list[str]]], file: Path, columns: Collection[str]) -> Sequence[str]:
    row, header = next(lines, (1, []))
    missing = [column for column in columns if column not in header]
    if missing:
        problem = f"The table lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}."
        raise DatasetError(Place(file, row), problem, "Use the file as it is published, with its header.")
    if len(set(header)) < len(header):
        raise DatasetError(Place(file, row), "Two columns have the same name.", "Rename or remove one of them.")
    return header


@dataclass
class Duplicates:
    """Finds the same thing twice: a person under two identifiers could be in two splits, and a test mean nothing."""

    what: str
    """Such as `image`."""
    _seen: dict[bytes, tuple[str, Place]] = field(default_factory=dict)

    def add(self, content: bytes, patient: str, place: Place) -> None:
        """Take note of one. Raises: DatasetError: it was there before."""
        key = hashlib.sha256(content).digest()
        if key not in self._seen:
            self._seen[key] = (patient, place)
            return
        other, first = self._seen[key]
        if other == patient:
            raise DatasetError(place, f"The same {self.what} as in {first}.", "Remove one of the two.")
        problem = f"The same {self.what} as in {first}, under another patient."
        raise DatasetError(place, problem, "Give both the same patient, or remove one of the two.")
