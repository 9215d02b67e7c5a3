"""First half of the index: which stays are cases, when, and what became of them.

Times are stored as whole seconds since 1970. MIMIC's are local and shifted by a secret number of days for each subject,
so they carry no zone; they are taken as UTC, which keeps every interval but those across a change of clocks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.diagnosis_codes import NO_ACUTE, OTHER, SYMPTOM, icd_label, resolve
from services.diagnosis.datasets.index import Advance, Pass, drop, in_batches
from services.diagnosis.datasets.mimic.layout import COLUMNS, Layout
from services.diagnosis.datasets.mimic.options import MimicOptions
from services.diagnosis.datasets.tables import Row, read_rows

DAY_S = 24 * 3600
SCHEMA = """
CREATE TABLE IF NOT EXISTS subjects (subject INTEGER PRIMARY KEY, sex TEXT, anchor_age REAL, anchor_year INTEGER);
CREATE TABLE IF NOT EXISTS splits (subject INTEGER PRIMARY KEY, split TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS admissions (
  hadm INTEGER PRIMARY KEY, row INTEGER, subject INTEGER, arrival INTEGER, left INTEGER, died INTEGER,
  expired INTEGER, race TEXT
);
CREATE TABLE IF NOT EXISTS stays (
  row INTEGER PRIMARY KEY, stay INTEGER NOT NULL UNIQUE, subject INTEGER NOT NULL, hadm INTEGER,
  arrival INTEGER NOT NULL, as_of INTEGER NOT NULL, ends INTEGER NOT NULL, died INTEGER, expired INTEGER NOT NULL,
  home INTEGER NOT NULL, race TEXT, complaint TEXT, diagnosis INTEGER, icu_at INTEGER, deterioration INTEGER,
  kept INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS stays_by_subject ON stays (subject);
CREATE INDEX IF NOT EXISTS stays_by_hadm ON stays (hadm);
CREATE TABLE IF NOT EXISTS codes (stay_row INTEGER, position INTEGER, label INTEGER);
CREATE INDEX IF NOT EXISTS codes_by_stay ON codes (stay_row);
"""
SEXES = {"F": "F", "M": "M"}
SPLITS = {"train": "train", "validate": "calibration", "test": "test"}


def passes(layout: Layout, options: MimicOptions) -> tuple[Pass, ...]:
    """The readings that make the stays, in their order."""
    ed, splits = options.unit == "ed", options.official_split
    reads: list[tuple[str, Callable[[sqlite3.Connection, Iterator[Row]], None]]] = [("hosp/patients", _subjects)]
    if splits:
        reads.append(("mimic-cxr-2.0.0-split", _splits))
    reads.append(("hosp/admissions", _admissions))
    if ed:
        reads += [("ed/edstays", lambda db, rows: _ed_stays(db, rows, options)), ("ed/diagnosis", _ed_codes)]
    reads.append(("hosp/diagnoses_icd", _codes))
    if layout.icu:
        reads.append(("icu/icustays", _icu))
    made = [Pass(name, _reading(layout.table(name), name, read)) for name, read in reads]
    if not ed:
        made.insert(
            3 if splits else 2, Pass("admissions as stays", lambda db, _: _admission_stays(db, layout, options))
        )
    return (*made, Pass("outcomes", lambda db, advance: _outcomes(db, advance, options, icu=layout.icu is not None)))


def seconds(row: Row, column: str) -> int | None:
    """A time such as `2180-05-06 22:23:00`; None where it is empty. Raises: DatasetError."""
    text = row.text(column)
    if text is None:
        return None
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise DatasetError(
            row.place, f"The field {column} is not a time.", "Write it as 2180-05-06 22:23:00."
        ) from None


def whole(row: Row, column: str) -> int | None:
    """A whole number; None where it is empty. Raises: DatasetError."""
    value = row.number(column)
    if value is not None and value != int(value):
        raise DatasetError(row.place, f"The field {column} is no whole number.", "Correct it.")
    return None if value is None else int(value)


def key(row: Row, column: str) -> int:
    """An identifier. Raises: DatasetError: it is missing or no whole number."""
    row.required(column)
    return whole(row, column) or 0


def moment(row: Row, column: str) -> int:
    """A time that must be there. Raises: DatasetError."""
    row.required(column)
    return seconds(row, column) or 0


def _reading(
    file: Path, name: str, read: Callable[[sqlite3.Connection, Iterator[Row]], None]
) -> Callable[[sqlite3.Connection, Advance], None]:
    def run(connection: sqlite3.Connection, advance: Advance) -> None:
        def rows() -> Iterator[Row]:
            for row in read_rows(file, COLUMNS[name]):
                advance()
                yield row

        read(connection, rows())

    return run


def _once(connection: sqlite3.Connection, row: Row, what: str, statement: str, values: tuple[object, ...]) -> None:
    """Insert a row under its key. Raises: DatasetError: the key is there already."""
    try:
        connection.execute(statement, values)
    except sqlite3.IntegrityError:
        raise DatasetError(
            row.place, f"The {what} of this row was there before.", "Remove one of the two rows."
        ) from None


def _subjects(connection: sqlite3.Connection, rows: Iterator[Row]) -> None:
    for row in rows:
        values = (
            key(row, "subject_id"),
            row.choice("gender", SEXES),
            row.number("anchor_age"),
            whole(row, "anchor_year"),
        )
        _once(connection, row, "subject_id", "INSERT INTO subjects VALUES (?, ?, ?, ?)", values)


def _splits(connection: sqlite3.Connection, rows: Iterator[Row]) -> None:
    for row in rows:
        row.required("split")
        subject, split = key(row, "subject_id"), row.choice("split", SPLITS)
        known = connection.execute("SELECT split FROM splits WHERE subject = ?", (subject,)).fetchone()
        if known is None:
            connection.execute("INSERT INTO splits VALUES (?, ?)", (subject, split))
        elif known["split"] != split:
            problem = "The subject of this row is in another split in an earlier row."
            raise DatasetError(row.place, problem, "Use the split file as published: each subject is in one split.")


def _admissions(connection: sqlite3.Connection, rows: Iterator[Row]) -> None:
    for row in rows:
        arrival = seconds(row, "edregtime")
        values = (
            key(row, "hadm_id"), row.place.row, key(row, "subject_id"),
            moment(row, "admittime") if arrival is None else arrival, seconds(row, "dischtime"),
            seconds(row, "deathtime"), whole(row, "hospital_expire_flag") or 0, row.text("race"),
        )  # fmt: skip
        _once(connection, row, "hadm_id", "INSERT INTO admissions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def _ed_stays(connection: sqlite3.Connection, rows: Iterator[Row], options: MimicOptions) -> None:
    for row in rows:
        subject, hadm = key(row, "subject_id"), whole(row, "hadm_id")
        known = connection.execute("SELECT * FROM admissions WHERE hadm = ?", (hadm,)).fetchone()
        if hadm is not None and known is None:
            drop(connection, "stay whose admission is not in hosp/admissions (another release?)")
        else:
            out, disposition = moment(row, "outtime"), row.text("disposition") or ""
            expired = bool(known["expired"]) if known else disposition == "EXPIRED"
            ends = out if known is None or known["left"] is None else known["left"]
            died = known["died"] if known else (out if expired else None)
            stay = (row.place.row or 0, key(row, "stay_id"), subject, hadm, moment(row, "intime"), ends, died, expired)
            home = hadm is None and disposition == "HOME"
            _add_stay(connection, row.place, stay, home, row.text("race"), options)


def _admission_stays(connection: sqlite3.Connection, layout: Layout, options: MimicOptions) -> None:
    for known in in_batches(connection, "SELECT * FROM admissions"):
        place = Place(layout.table("hosp/admissions"), known["row"])
        if known["left"] is None:
            drop(connection, "stay without an end")
        else:
            stay = (
                *(known[name] for name in ("row", "hadm", "subject", "hadm", "arrival", "left", "died")),
                bool(known["expired"]),
            )
            _add_stay(connection, place, stay, False, known["race"], options)


def _add_stay(
    connection: sqlite3.Connection, place: Place, stay: tuple[int, int, int, int | None, int, int, int | None, bool],
    home: bool, race: str | None, options: MimicOptions,
) -> None:  # fmt: skip
    row, number, subject, hadm, arrival, ends, died, expired = stay
    if connection.execute("SELECT 1 FROM subjects WHERE subject = ?", (subject,)).fetchone() is None:
        return drop(connection, "stay of a subject that is not in hosp/patients (another release?)")
    ends = ends if died is None else min(ends, died)
    as_of = min(arrival + round(options.hours * 3600), ends)
    if ends <= arrival:
        return drop(connection, "stay that ends before it begins")
    if died is not None and died <= as_of:
        return drop(connection, "death before the case time")
    values = (row, number, subject, hadm, arrival, as_of, ends, died, expired, home, race)
    columns = "row, stay, subject, hadm, arrival, as_of, ends, died, expired, home, race"
    try:
        connection.execute(f"INSERT INTO stays ({columns}) VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608  # names of ours
    except sqlite3.IntegrityError:
        raise DatasetError(place, "The stay_id of this row was there before.", "Remove one of the two rows.") from None
    return None


def _ed_codes(connection: sqlite3.Connection, rows: Iterator[Row]) -> None:
    """Of stays that did not become an admission; the hospital's codes say more of the others."""
    for row in rows:
        query = "SELECT row FROM stays WHERE stay = ? AND hadm IS NULL"
        _add_code(connection, row, connection.execute(query, (key(row, "stay_id"),)).fetchall())


def _codes(connection: sqlite3.Connection, rows: Iterator[Row]) -> None:
    for row in rows:
        query = "SELECT row FROM stays WHERE hadm = ?"
        _add_code(connection, row, connection.execute(query, (key(row, "hadm_id"),)).fetchall())


def _add_code(connection: sqlite3.Connection, row: Row, stays: list[sqlite3.Row]) -> None:
    position, version = key(row, "seq_num"), row.choice("icd_version", {"9": 9, "10": 10})
    if version is None:
        raise DatasetError(row.place, "The field icd_version is empty.", "Fill it in: 9 or 10.")
    label = icd_label(row.required("icd_code"), version, position) if stays else OTHER
    connection.executemany("INSERT INTO codes VALUES (?, ?, ?)", [(stay["row"], position, label) for stay in stays])


def _icu(connection: sqlite3.Connection, rows: Iterator[Row]) -> None:
    """The first transfer to intensive care of each stay."""
    for row in rows:
        at = seconds(row, "intime")
        if at is not None:
            connection.execute(
                "UPDATE stays SET icu_at = min(ifnull(icu_at, ?1), ?1) WHERE hadm = ?2 AND ?1 >= arrival",
                (at, key(row, "hadm_id")),
            )


def _outcomes(connection: sqlite3.Connection, advance: Advance, options: MimicOptions, *, icu: bool) -> None:
    for stay in in_batches(connection, "SELECT * FROM stays"):
        advance()
        codes = connection.execute("SELECT position, label FROM codes WHERE stay_row = ?", (stay["row"],)).fetchall()
        diagnosis = _diagnosis([(code["position"], code["label"]) for code in codes], home=bool(stay["home"]))
        values = (diagnosis, _deterioration(stay) if icu else None, stay["row"])
        connection.execute("UPDATE stays SET diagnosis = ?, deterioration = ? WHERE row = ?", values)
    if not options.keep_others:
        gone = connection.execute("UPDATE stays SET kept = 0 WHERE diagnosis IS NULL").rowcount
        drop(connection, "stay about none of the eight conditions", gone)
    if options.official_split:
        query = "UPDATE stays SET kept = 0 WHERE kept = 1 AND subject NOT IN (SELECT subject FROM splits)"
        drop(connection, "stay of a subject that the official split does not know", connection.execute(query).rowcount)
    connection.execute("DELETE FROM stays WHERE kept = 0")


def _diagnosis(codes: list[tuple[int, int]], *, home: bool) -> int | None:
    """The condition of a stay. No acute disease: sent home from the emergency department, and only complaints coded."""
    label = resolve(codes)
    if label is None and home and codes and all(found == SYMPTOM for _, found in codes):
        return NO_ACUTE
    return label


def _deterioration(stay: sqlite3.Row) -> int | None:
    """Transfer to intensive care or death within a day of the case time.

    None for who is in intensive care by then, and where a death has no time.
    """
    if stay["icu_at"] is not None and stay["icu_at"] <= stay["as_of"]:
        return None
    events = [at for at in (stay["icu_at"], stay["died"]) if at is not None]
    if any(at <= stay["as_of"] + DAY_S for at in events):
        return 1
    return None if stay["expired"] and stay["died"] is None else 0
