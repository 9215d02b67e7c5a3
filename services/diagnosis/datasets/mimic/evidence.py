"""Second half of the index: what was known of each case at its time. Only these rows are kept of the large tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.index import Advance, Pass, drop
from services.diagnosis.datasets.mimic.layout import COLUMNS, Layout
from services.diagnosis.datasets.mimic.options import MimicOptions
from services.diagnosis.datasets.mimic.signs import CHART_ITEMS, CODES, ED_COLUMNS, Measure
from services.diagnosis.datasets.mimic.stays import DAY_S, key, moment, seconds
from services.diagnosis.datasets.tables import Row, number, read_lines, read_rows

SCHEMA = """
CREATE TABLE IF NOT EXISTS signs (
  stay_row INTEGER, at INTEGER, code INTEGER, value REAL, PRIMARY KEY (stay_row, at, code, value)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (
  stay_row INTEGER, at INTEGER, id TEXT, type TEXT, text TEXT, PRIMARY KEY (stay_row, at, id)
);
CREATE TABLE IF NOT EXISTS images (
  stay_row INTEGER, at INTEGER, dicom TEXT, study INTEGER, view TEXT, rows INTEGER, columns INTEGER, line INTEGER,
  PRIMARY KEY (stay_row, at, dicom)
) WITHOUT ROWID;
"""
DISCHARGE_SUMMARY, IMAGING_STUDY = "18842-5", "18748-4"
Run = Callable[[sqlite3.Connection, Advance], None]


def passes(layout: Layout, options: MimicOptions) -> tuple[Pass, ...]:
    """The readings that collect the evidence; the stays are there."""
    made = []
    if options.unit == "ed":
        made += [Pass(name, _ed(layout, name)) for name in ("ed/triage", "ed/vitalsign")]
    if layout.icu:
        made.append(Pass("icu/chartevents", lambda db, advance: _chart(db, advance, layout)))
    if layout.cxr:
        made.append(Pass("mimic-cxr metadata", lambda db, advance: _images(db, advance, layout)))
    if layout.note:
        for name, kind in (("note/radiology", IMAGING_STUDY), ("note/discharge", DISCHARGE_SUMMARY)):
            made.append(Pass(name, _notes(layout, name, kind, options)))
    return (*made, Pass("stays with evidence", lambda db, _: _settle(db)))


def _settle(connection: sqlite3.Connection) -> None:
    """A stay of which nothing was known at the case time is no case."""
    tables = ("signs", "notes", "images")
    empty = " AND ".join(f"NOT EXISTS (SELECT 1 FROM {table} WHERE stay_row = stays.row)" for table in tables)  # noqa: S608  # ours
    gone = connection.execute(f"DELETE FROM stays WHERE complaint IS NULL AND {empty}").rowcount  # noqa: S608  # ours
    drop(connection, "stay without any evidence", gone)


def _ed(layout: Layout, name: str) -> Run:
    def run(connection: sqlite3.Connection, advance: Advance) -> None:
        for row in read_rows(layout.table(name), COLUMNS[name]):
            advance()
            query = "SELECT row, arrival, as_of FROM stays WHERE stay = ?"
            stay = connection.execute(query, (key(row, "stay_id"),)).fetchone()
            if name == "ed/triage":
                _triage(connection, row, stay)
            else:
                _vitalsign(connection, row, stay)

    return run


def _triage(connection: sqlite3.Connection, row: Row, stay: sqlite3.Row | None) -> None:
    """Triage has no time of its own: it is what happens on arrival."""
    readings = _readings(row)
    if stay:
        _add_signs(connection, [stay], stay["arrival"], readings)
        connection.execute("UPDATE stays SET complaint = ? WHERE row = ?", (row.text("chiefcomplaint"), stay["row"]))


def _vitalsign(connection: sqlite3.Connection, row: Row, stay: sqlite3.Row | None) -> None:
    at, readings = moment(row, "charttime"), _readings(row)
    if stay and at <= stay["as_of"]:
        _add_signs(connection, [stay], at, readings)


def _readings(row: Row) -> list[tuple[Measure, float]]:
    found = ((measure, row.number(column)) for column, measure in ED_COLUMNS.items())
    return [(measure, value) for measure, value in found if value is not None]


def _add_signs(
    connection: sqlite3.Connection, stays: list[sqlite3.Row], at: int, readings: list[tuple[Measure, float]]
) -> None:
    for measure, given in readings:
        value = measure.canonical(given)
        if value is None:
            drop(connection, "reading that no living person shows", len(stays))
            continue
        code = CODES.index(measure.coding.code)
        rows = [(stay["row"], at, code, value) for stay in stays]
        connection.executemany("INSERT OR IGNORE INTO signs VALUES (?, ?, ?, ?)", rows)


def _chart(connection: sqlite3.Connection, advance: Advance, layout: Layout) -> None:
    """Hundreds of millions of rows, most of no interest: fields are looked at one by one, cheapest first."""
    _check_items(layout)
    file = layout.table("icu/chartevents")
    items = {str(item): measure for item, measure in CHART_ITEMS.items()}
    lines = read_lines(file)
    hadm_at, time_at, item_at, value_at = _positions(lines, file)
    hadm, stays = "", list[sqlite3.Row]()
    for line, fields in lines:
        advance()
        if len(fields) <= max(hadm_at, time_at, item_at, value_at):
            problem = f"The row has only {len(fields)} fields."
            raise DatasetError(Place(file, line), problem, "Download the file again.")
        measure = items.get(fields[item_at])
        if measure is None or not fields[value_at]:
            continue
        if fields[hadm_at] != hadm:  # the rows of one admission stand together
            hadm = fields[hadm_at]
            query = "SELECT row, arrival, as_of FROM stays WHERE hadm = ?"
            stays = connection.execute(query, (hadm,)).fetchall()
        if stays:
            place = Place(file, line)
            at = moment(Row(place, {"charttime": fields[time_at]}), "charttime")
            then = [stay for stay in stays if stay["arrival"] <= at <= stay["as_of"]]
            _add_signs(connection, then, at, [(measure, number(fields[value_at], "valuenum", place))])


def _positions(lines: Iterator[tuple[int, list[str]]], file: Path) -> list[int]:
    line, header = next(lines, (1, []))
    missing = [column for column in COLUMNS["icu/chartevents"] if column not in header]
    if missing:
        problem = f"The table lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}."
        raise DatasetError(Place(file, line), problem, "Use the file as it is published, with its header.")
    return [header.index(name) for name in ("hadm_id", "charttime", "itemid", "valuenum")]


def _check_items(layout: Layout) -> None:
    """Raises: DatasetError: the items of this release are not those that are read as vital signs."""
    file, known = layout.table("icu/d_items"), set[int]()
    for row in read_rows(file, COLUMNS["icu/d_items"]):
        item = key(row, "itemid")
        measure = CHART_ITEMS.get(item)
        if measure is None:
            continue
        known.add(item)
        if measure.word not in (row.text("label") or "").lower():
            problem = f"Item {item} is not the {measure.coding.display.lower()} that is expected."
            raise DatasetError(row.place, problem, "Use a release of MIMIC-IV from 2.2 to 3.1.")
    missing = sorted(set(CHART_ITEMS) - known)
    if missing:
        problem = f"The item {missing[0]} is missing."
        raise DatasetError(Place(file), problem, "Use a release of MIMIC-IV from 2.2 to 3.1, as published.")


def _images(connection: sqlite3.Connection, advance: Advance, layout: Layout) -> None:
    name = "mimic-cxr-2.0.0-metadata"
    for row in read_rows(layout.table(name), COLUMNS[name]):
        advance()
        at = _study_time(row)
        size = tuple(int(row.number(column, 1, 100_000) or 0) for column in ("Rows", "Columns"))
        query = "SELECT row FROM stays WHERE subject = ? AND arrival <= ? AND as_of >= ?"
        what = (at, row.required("dicom_id"), key(row, "study_id"), row.text("ViewPosition"), *size, row.place.row)
        stays = connection.execute(query, (key(row, "subject_id"), at, at)).fetchall()
        try:
            rows = [(stay["row"], *what) for stay in stays]
            connection.executemany("INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        except sqlite3.IntegrityError:
            problem = "The dicom_id of this row was there before."
            raise DatasetError(row.place, problem, "Remove one of the two rows.") from None


def _study_time(row: Row) -> int:
    """`StudyDate` is 21800506, `StudyTime` a number such as 93014.531: half past nine, its leading zero lost."""
    date, clock = row.required("StudyDate"), row.required("StudyTime").partition(".")[0].zfill(6)
    try:
        return int(datetime.strptime(date + clock, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp())
    except ValueError:
        problem = "StudyDate and StudyTime are no time."
        raise DatasetError(row.place, problem, "Write them as 21800506 and 213014.531.") from None


def _notes(layout: Layout, name: str, kind: str, options: MimicOptions) -> Run:
    """Letters and reports that were stored before the patient arrived, and are not of the same admission.

    The discharge summary of the stay itself names the diagnosis, and so does the report of its radiograph: neither was
    known, or they are what the model is asked for.
    """

    def run(connection: sqlite3.Connection, advance: Advance) -> None:
        query = (
            "SELECT row FROM stays WHERE subject = ? AND arrival BETWEEN ? AND ? AND (hadm IS NULL OR hadm IS NOT ?)"
        )
        span = round(options.notes_within_days * DAY_S)
        for row in read_rows(layout.table(name), COLUMNS[name]):
            advance()
            at, note, text = seconds(row, "storetime"), row.required("note_id"), row.note("text")
            if at is None:
                drop(connection, f"{name} without a time of storage")
                continue
            hadm = row.number("hadm_id")
            stays = connection.execute(query, (key(row, "subject_id"), at, at + span, hadm)).fetchall()
            if text is None:
                raise DatasetError(row.place, "The note is empty.", "Restore its text, or remove the row.")
            values = [(stay["row"], at, note, kind, text) for stay in stays]
            connection.executemany("INSERT OR IGNORE INTO notes VALUES (?, ?, ?, ?, ?)", values)

    return run
