"""Second half of the index: radiographs, notes and vital signs near a case. Nothing is kept of anybody else."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from zoneinfo import ZoneInfo

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.hospital.documents import DISCHARGE_SUMMARIES, note_of
from services.diagnosis.datasets.hospital.export import Resource
from services.diagnosis.datasets.hospital.observations import Reading, Units, readings_of
from services.diagnosis.datasets.hospital.options import HospitalOptions
from services.diagnosis.datasets.hospital.people import Files, identified, patient_of, reading
from services.diagnosis.datasets.hospital.radiographs import Header, find_files, read_header
from services.diagnosis.datasets.index import Advance, Pass, drop, in_batches

SCHEMA = """
CREATE TABLE IF NOT EXISTS samples (
  patient INTEGER, at REAL, code TEXT, value REAL, PRIMARY KEY (patient, at, code, value)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notes (
  patient INTEGER, at REAL, id TEXT NOT NULL UNIQUE, type TEXT, text TEXT, PRIMARY KEY (patient, at, id)
);
CREATE TABLE IF NOT EXISTS images (
  patient INTEGER, at REAL, uid TEXT NOT NULL UNIQUE, modality TEXT, rows INTEGER, columns INTEGER, body TEXT,
  view TEXT, file TEXT, PRIMARY KEY (patient, at, uid)
);
"""
DAY_S = 24 * 3600


def passes(root: Path, files: Files, options: HospitalOptions) -> tuple[Pass, ...]:
    """The readings that collect the evidence; the cases are there."""
    span = options.evidence_days * DAY_S

    def document(connection: sqlite3.Connection, resource: Resource) -> None:
        _document(connection, resource, span)

    return (
        Pass("DICOM", lambda db, advance: _radiographs(db, advance, root, options)),
        Pass("DocumentReference", reading(files["DocumentReference"], "DocumentReference", document)),
        Pass("Observation", lambda db, advance: _observations(db, advance, files["Observation"], span)),
        Pass("case times", lambda db, _: _settle(db, span)),
    )


def _is_near(connection: sqlite3.Connection, patient: int, at: float, span: float) -> bool:
    query = "SELECT 1 FROM cases WHERE patient = ?1 AND as_of >= ?2 AND as_of <= ?2 + ?3"
    return connection.execute(query, (patient, at, span)).fetchone() is not None


def _radiographs(connection: sqlite3.Connection, advance: Advance, root: Path, options: HospitalOptions) -> None:
    zone = ZoneInfo(options.timezone)
    for file in find_files(root):
        advance()
        header = read_header(file, zone)
        if isinstance(header, str):
            drop(connection, header)
        else:
            _add_radiograph(connection, file, header, options.evidence_days * DAY_S)


def _add_radiograph(connection: sqlite3.Connection, file: Path, header: Header, span: float) -> None:
    people = identified(connection, header.patient_id)
    if len(people) > 1:
        problem = "The PatientID of this file is the identifier of two Patients."
        raise DatasetError(Place(file), problem, "Remove the identifier from the Patient whose it is not.")
    if not people:
        return drop(connection, "radiograph of nobody in Patient")
    values = (
        people[0], header.at, header.sop_instance_uid, header.modality, header.rows, header.columns,
        header.body_part, header.view, str(file),
    )  # fmt: skip
    if _is_near(connection, people[0], header.at, span):
        try:
            connection.execute("INSERT INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        except sqlite3.IntegrityError:
            problem = "The SOPInstanceUID of this file was there before."
            raise DatasetError(Place(file), problem, "Remove one of the two files.") from None
    return None


def _document(connection: sqlite3.Connection, resource: Resource, span: float) -> None:
    patient, note = patient_of(connection, resource.content), note_of(resource)
    if patient is None:
        return drop(connection, "document of nobody in Patient")
    if isinstance(note, str):
        return drop(connection, note)
    if note.type in DISCHARGE_SUMMARIES and _is_of_a_case(connection, patient, note.at):
        return drop(connection, "discharge summary of the case itself")
    if _is_near(connection, patient, note.at, span):
        try:
            values = (patient, note.at, note.id, note.type, note.text)
            connection.execute("INSERT INTO notes VALUES (?, ?, ?, ?, ?)", values)
        except sqlite3.IntegrityError:
            problem = "The id of this resource was there before."
            raise DatasetError(resource.place, problem, "Export each resource once.") from None
    return None


def _is_of_a_case(connection: sqlite3.Connection, patient: int, at: float) -> bool:
    """Written after a case began; without encounters nobody can tell, and every summary counts as the case's."""
    query = "SELECT 1 FROM cases WHERE patient = ?1 AND ifnull(began, ?2) <= ?2"
    return connection.execute(query, (patient, at)).fetchone() is not None


def _observations(connection: sqlite3.Connection, advance: Advance, files: list[Path], span: float) -> None:
    units = Units()

    def add(connection: sqlite3.Connection, resource: Resource) -> None:
        patient = patient_of(connection, resource.content)
        if patient is None:
            return drop(connection, "Observation of nobody in Patient")
        for found in readings_of(resource, units):
            if isinstance(found, str):
                drop(connection, found)
            elif _is_near(connection, patient, found.at, span):
                _add_sample(connection, patient, found)
        return None

    reading(files, "Observation", add)(connection, advance)
    units.check()


def _add_sample(connection: sqlite3.Connection, patient: int, found: Reading) -> None:
    values = (patient, found.at, found.code, found.value)
    connection.execute("INSERT OR IGNORE INTO samples VALUES (?, ?, ?, ?)", values)


def _settle(connection: sqlite3.Connection, span: float) -> None:
    """Cases without encounters are as of their newest evidence; cases without any evidence are none."""
    for case in in_batches(connection, "SELECT * FROM cases"):
        newest = [
            connection.execute(
                f"SELECT max(at) FROM {table} WHERE patient = ?1 AND at <= ?2 AND at >= ?2 - ?3",  # noqa: S608  # ours
                (case["patient"], case["as_of"], span),
            ).fetchone()[0]
            for table in ("images", "notes", "samples")
        ]
        known = [at for at in newest if at is not None]
        if not known:
            connection.execute("DELETE FROM cases WHERE row = ?", (case["row"],))
            drop(connection, "case without any evidence")
        elif case["encounter"] is None:
            connection.execute("UPDATE cases SET as_of = ? WHERE row = ?", (max(known), case["row"]))
