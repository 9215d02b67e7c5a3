"""First half of the index: who may be used, and which of their encounters are cases."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from services.diagnosis.datasets.base import DatasetError, Place
from services.diagnosis.datasets.diagnosis_codes import OTHER, fhir_label, resolve
from services.diagnosis.datasets.hospital.consent import decision_of
from services.diagnosis.datasets.hospital.elements import birth_of, codings, instant, items, part, reference_id
from services.diagnosis.datasets.hospital.export import Json, Resource, read_resources
from services.diagnosis.datasets.hospital.options import HospitalOptions
from services.diagnosis.datasets.index import Advance, Pass, drop, in_batches

SCHEMA = """
CREATE TABLE IF NOT EXISTS patients (
  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, pseudonym TEXT NOT NULL, sex TEXT, born REAL, died REAL,
  source TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS identifiers (value TEXT, patient INTEGER, PRIMARY KEY (value, patient)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS consents (patient INTEGER, permit INTEGER, data_from REAL, data_until REAL);
CREATE INDEX IF NOT EXISTS consents_by_patient ON consents (patient);
CREATE TABLE IF NOT EXISTS encounters (
  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, patient INTEGER NOT NULL, began REAL NOT NULL, ended REAL,
  finished INTEGER NOT NULL, expired INTEGER NOT NULL, ranks TEXT NOT NULL, source TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS encounters_by_patient ON encounters (patient);
CREATE TABLE IF NOT EXISTS conditions (
  id TEXT NOT NULL UNIQUE, patient INTEGER NOT NULL, encounter TEXT, codes TEXT NOT NULL, recorded REAL
);
CREATE INDEX IF NOT EXISTS conditions_by_patient ON conditions (patient);
CREATE TABLE IF NOT EXISTS cases (
  row INTEGER PRIMARY KEY, id TEXT NOT NULL, patient INTEGER NOT NULL, encounter TEXT, began REAL, as_of REAL NOT NULL,
  outcome REAL, diagnosis INTEGER NOT NULL, died INTEGER, source TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS cases_by_patient ON cases (patient);
"""
SEXES = {"male": "M", "female": "F", "other": "O"}
NOT_STANDING = frozenset({"entered-in-error", "cancelled", "planned"})
FINISHED = frozenset({"finished", "completed"})
EXPIRED = "exp"
DOUBTED = frozenset({"entered-in-error", "refuted", "differential", "provisional", "unconfirmed"})
Files = dict[str, list[Path]]
Add = Callable[[sqlite3.Connection, Resource], None]


def passes(files: Files, options: HospitalOptions, now: float) -> tuple[Pass, ...]:
    """The readings that make the cases; evidence is read afterwards, and only of those who consented."""
    reads: list[tuple[str, Add]] = [
        ("Patient", _patient),
        ("Consent", lambda db, resource: _consent(db, resource, now)),
        ("Encounter", _encounter),
        ("Condition", _condition),
    ]
    made = [Pass(kind, reading(files[kind], kind, add)) for kind, add in reads]
    whole = bool(files["Encounter"])
    return (*made, Pass("cases", lambda db, _: _encounter_cases(db, options) if whole else _patient_cases(db)))


def reading(files: Sequence[Path], kind: str, add: Add) -> Callable[[sqlite3.Connection, Advance], None]:
    """A pass that hands on each resource of a type."""

    def run(connection: sqlite3.Connection, advance: Advance) -> None:
        for file in files:
            for resource in read_resources(file, kind):
                advance()
                add(connection, resource)

    return run


def patient_of(connection: sqlite3.Connection, content: Json) -> int | None:
    """The patient that `subject` or `patient` refers to, by reference or by identifier; None: nobody in the export."""
    subject = content.get("subject") or content.get("patient")
    known = reference_id(subject, "Patient")
    if known is not None:
        row = connection.execute("SELECT row FROM patients WHERE id = ?", (known,)).fetchone()
        return None if row is None else int(row["row"])
    rows = identified(connection, str(part(subject, "identifier", "value") or ""))
    return rows[0] if len(rows) == 1 else None


def identified(connection: sqlite3.Connection, value: str) -> list[int]:
    """The patients with this identifier."""
    rows = connection.execute("SELECT patient FROM identifiers WHERE value = ? ORDER BY patient", (value,))
    return [row["patient"] for row in rows]


def digest(kind: str, value: str) -> str:
    """A short name that is the same in every run and does not show the id it stands for."""
    return hashlib.sha256(f"consilium/{kind}/{value}".encode()).hexdigest()[:16]


def _insert(connection: sqlite3.Connection, resource: Resource, statement: str, values: tuple[object, ...]) -> None:
    try:
        connection.execute(statement, values)
    except sqlite3.IntegrityError:
        problem = "The id of this resource was there before."
        raise DatasetError(resource.place, problem, "Export each resource once.") from None


def _patient(connection: sqlite3.Connection, resource: Resource) -> None:
    content, place = resource.content, resource.place
    values = (
        content["id"], digest("Patient", content["id"]), SEXES.get(str(content.get("gender"))),
        birth_of(place, content.get("birthDate")),
        instant(place, "Patient.deceasedDateTime", content.get("deceasedDateTime")), _source(place),
    )  # fmt: skip
    statement = "INSERT INTO patients (id, pseudonym, sex, born, died, source) VALUES (?, ?, ?, ?, ?, ?)"
    _insert(connection, resource, statement, values)
    row = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    known = [str(item["value"]).strip() for item in items(content.get("identifier")) if item.get("value")]
    connection.executemany("INSERT OR IGNORE INTO identifiers VALUES (?, ?)", [(value, row) for value in known])


def _consent(connection: sqlite3.Connection, resource: Resource, now: float) -> None:
    patient, decision = patient_of(connection, resource.content), decision_of(resource, now)
    if patient is None:
        drop(connection, "Consent of nobody in Patient")
    elif decision is not None:
        values = (patient, decision.permit, decision.data_from, decision.data_until)
        connection.execute("INSERT INTO consents VALUES (?, ?, ?, ?)", values)


def _encounter(connection: sqlite3.Connection, resource: Resource) -> None:
    content, place = resource.content, resource.place
    patient, status = patient_of(connection, content), str(content.get("status"))
    began = instant(place, "Encounter.period.start", part(content, "period", "start"))
    ended = instant(place, "Encounter.period.end", part(content, "period", "end"))
    if patient is None:
        return drop(connection, "Encounter of nobody in Patient")
    if status in NOT_STANDING:
        return drop(connection, "Encounter that did not take place")
    if began is None:
        return drop(connection, "Encounter without a time of day at its start")
    disposition = {code for _, code in codings(part(content, "hospitalization", "dischargeDisposition"))}
    ranks = {
        reference_id(item.get("condition"), "Condition"): item.get("rank") for item in items(content.get("diagnosis"))
    }
    values = (
        content["id"], patient, began, ended, status in FINISHED, EXPIRED in disposition,
        json.dumps({key: rank for key, rank in ranks.items() if key}), _source(place),
    )  # fmt: skip
    columns = "id, patient, began, ended, finished, expired, ranks, source"
    _insert(connection, resource, f"INSERT INTO encounters ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608  # ours
    return None


def _condition(connection: sqlite3.Connection, resource: Resource) -> None:
    content, place = resource.content, resource.place
    patient = patient_of(connection, content)
    recorded = instant(place, "Condition.recordedDate", content.get("recordedDate"))
    if patient is None:
        drop(connection, "Condition of nobody in Patient")
    elif DOUBTED & {code for _, code in codings(content.get("verificationStatus"))}:
        drop(connection, "Condition that is refuted or not confirmed")
    else:
        codes = json.dumps(list(codings(content.get("code"))))
        values = (content["id"], patient, reference_id(content.get("encounter"), "Encounter"), codes, recorded)
        _insert(connection, resource, "INSERT INTO conditions VALUES (?, ?, ?, ?, ?)", values)


def _encounter_cases(connection: sqlite3.Connection, options: HospitalOptions) -> None:
    for encounter in in_batches(connection, "SELECT * FROM encounters"):
        query = "SELECT * FROM conditions WHERE patient = ? ORDER BY id"
        ranks = json.loads(encounter["ranks"])
        own = [
            row for row in connection.execute(query, (encounter["patient"],))
            if row["encounter"] == encounter["id"] or row["id"] in ranks
        ]  # fmt: skip
        label, recorded = _label(own, ranks)
        person = connection.execute("SELECT died FROM patients WHERE row = ?", (encounter["patient"],)).fetchone()
        ends = [at for at in (encounter["ended"], recorded, person["died"]) if at is not None]
        outcome = min(ends, default=None)
        as_of = min([encounter["began"] + options.hours * 3600, *ends])
        died = _died(encounter, person["died"])
        if as_of <= encounter["began"]:
            drop(connection, "encounter whose outcome was known when it began")
        elif person["died"] is not None and person["died"] <= as_of:
            drop(connection, "death before the case time")
        else:
            case = (encounter["id"], encounter["patient"], encounter["id"], encounter["began"], as_of, outcome)
            _add_case(connection, case, label, died, encounter["source"])


def _patient_cases(connection: sqlite3.Connection) -> None:
    """Without encounters: one case per patient, as of the newest evidence before the condition was recorded."""
    for person in in_batches(connection, "SELECT * FROM patients"):
        query = "SELECT * FROM conditions WHERE patient = ? ORDER BY id"
        label, recorded = _label(connection.execute(query, (person["row"],)).fetchall(), {})
        if label is not None and recorded is None:
            drop(connection, "patient without an Encounter and without a recordedDate")
        else:
            case = (person["id"], person["row"], None, None, recorded, recorded)
            _add_case(connection, case, label, None, person["source"])


def _add_case(
    connection: sqlite3.Connection, case: tuple[object, ...], label: int | None, died: int | None, source: str
) -> None:
    as_of = case[4]
    if label is None:
        return drop(connection, "case about none of the eight conditions")
    if not _permitted(connection, case[1], as_of):
        return drop(connection, "case without a consent for research")
    columns = "id, patient, encounter, began, as_of, outcome, diagnosis, died, source"
    values = (digest("case", str(case[0])), *case[1:], label, died, source)
    connection.execute(f"INSERT INTO cases ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608  # ours
    return None


def _permitted(connection: sqlite3.Connection, patient: object, as_of: object) -> bool:
    rows = connection.execute(
        "SELECT permit, ifnull(data_from, ?1) <= ?1 AND ifnull(data_until, ?1) >= ?1 AS covers FROM consents "
        "WHERE patient = ?2",
        (as_of, patient),
    ).fetchall()
    return all(row["permit"] for row in rows) and any(row["covers"] for row in rows)


def _label(conditions: Sequence[sqlite3.Row], ranks: Json) -> tuple[int | None, float | None]:
    """The condition a case is about, and when the first Condition that says so was recorded."""
    found = list(_labels(conditions, ranks))
    label = resolve([(position, given) for position, given, _ in found])
    times = [recorded for _, given, recorded in found if given == label and recorded is not None]
    return label, min(times, default=None)


def _labels(conditions: Sequence[sqlite3.Row], ranks: Json) -> Iterator[tuple[int, int, float | None]]:
    """(position, label, recorded) of each. Without ranks nobody says which was the reason for the encounter."""
    for condition in conditions:
        rank = ranks.get(condition["id"])
        position = int(rank) if isinstance(rank, int) else (1 if len(conditions) == 1 else 2)
        labels = [fhir_label(system, code, position) for system, code in json.loads(condition["codes"])]
        yield position, max(labels, default=OTHER), condition["recorded"]


def _died(encounter: sqlite3.Row, died: float | None) -> int | None:
    """Whether the patient died in the encounter; None while it is not over."""
    if encounter["expired"] or (died is not None and encounter["ended"] is not None and died <= encounter["ended"]):
        return 1
    return 0 if encounter["finished"] else None


def _source(place: Place) -> str:
    return f"{place.file.name}:{place.row}"
