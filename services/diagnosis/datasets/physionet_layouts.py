"""The two layouts of the PhysioNet/CinC Challenge 2012: as published, a file per stay, and all stays in one table."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.tables import number, read_lines, read_rows

TABLE = ("RecordID", "Time", "Parameter", "Value")
OUTCOMES = ("RecordID", "In-hospital_death")


class Entry(NamedTuple):
    """One line of a stay."""

    hour: float
    """Since admission."""
    parameter: str
    value: float
    row: int


@dataclass(frozen=True)
class Stay:
    """One stay as it is written; the place is its first line."""

    record_id: str
    place: Place
    entries: list[Entry]


@dataclass(frozen=True)
class Source:
    """A table of outcomes and where its stays are: a directory of files or one table."""

    outcomes: Path
    stays: Path

    def read_outcomes(self) -> dict[str, tuple[bool, Place]]:
        """Record -> whether the patient died in hospital. Raises: DatasetError: also for a record that comes twice."""
        died: dict[str, tuple[bool, Place]] = {}
        for row in read_rows(self.outcomes, OUTCOMES):
            record, death = row.required("RecordID"), row.choice("In-hospital_death", {"0": False, "1": True})
            if record in died:
                raise DatasetError(row.place, f"The same RecordID as in {died[record][1]}.", "Remove one of the two.")
            if death is None:
                raise DatasetError(row.place, "The field In-hospital_death is empty.", "Fill it in or remove the row.")
            died[record] = death, row.place
        return died

    def read_stays(self, wanted: Collection[str] | None = None) -> Iterator[Stay]:
        """The stays of `wanted` records (None: all) in the order of their files; others are passed over unparsed.

        Raises: DatasetError: also for stays that are not side by side, or without an outcome.
        """
        return _table(self.stays, wanted) if self.stays.is_file() else _files(self.stays, wanted)


def find_sources(path: Path) -> tuple[Source, ...]:
    """What lies below `path`. Raises: DatasetError: neither layout."""
    for name in ("records.csv.gz", "records.csv"):
        if (path / name).is_file():
            return (Source(path / "outcomes.csv", path / name),)
    sets = sorted(directory for directory in path.glob("set-?") if directory.is_dir())
    if not sets:
        fix = "Point --path at a folder with records.csv.gz and outcomes.csv, or with set-a/ and Outcomes-a.txt."
        raise DatasetError(Place(path), "There are no stays of the challenge here.", fix)
    return tuple(Source(path / f"Outcomes-{directory.name[-1]}.txt", directory) for directory in sets)


def _files(directory: Path, wanted: Collection[str] | None) -> Iterator[Stay]:
    for file in sorted(directory.glob("*.txt")):
        if wanted is None or file.stem in wanted:
            lines = read_lines(file)
            _columns(file, next(lines, (1, []))[1], TABLE[1:])
            yield Stay(file.stem, Place(file, 2), [_entry(file, row, fields) for row, fields in lines])


def _table(file: Path, wanted: Collection[str] | None) -> Iterator[Stay]:
    lines = read_lines(file)
    _columns(file, next(lines, (1, []))[1], TABLE)
    finished = set[str]()
    for record, rows in groupby(lines, key=lambda line: line[1][0]):
        row, first = next(rows)
        if record in finished:
            problem, fix = "The stay's rows are not side by side.", "Sort the table by RecordID."
            raise DatasetError(Place(file, row), problem, fix)
        finished.add(record)
        if wanted is None or record in wanted:
            entries = [_entry(file, line, fields[1:]) for line, fields in chain([(row, first)], rows)]
            yield Stay(record, Place(file, row), entries)


def _columns(file: Path, header: list[str], columns: tuple[str, ...]) -> None:
    if tuple(header) != columns:
        problem = f"The first line is not {','.join(columns)}."
        raise DatasetError(Place(file, 1), problem, "Use the file as it is published.")


def _entry(file: Path, row: int, fields: list[str]) -> Entry:
    if len(fields) != 3:
        raise DatasetError(
            Place(file, row), "The row does not have a time, a parameter and a value.", "Repair the row."
        )
    hour = _hour(fields[0])
    if hour is None:
        raise DatasetError(Place(file, row), "The time is not hh:mm since admission.", "Repair the row.")
    try:
        return Entry(hour, fields[1], float(fields[2]), row)
    except ValueError:
        return Entry(hour, fields[1], number(fields[2], "Value", Place(file, row)), row)


@lru_cache(4096)
def _hour(text: str) -> float | None:
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit() and len(minutes) == 2 and int(minutes) < 60):
        return None
    return int(hours) + int(minutes) / 60
