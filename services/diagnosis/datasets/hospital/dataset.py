"""A hospital's folder as a stream of cases: one per encounter, of patients who consented to research."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from services.diagnosis.case import CaseInput, ImageInput, NoteInput, VitalsInput
from services.diagnosis.datasets.base import (
    LabelledCase,
    LeakageReport,
    Provenance,
    Split,
    Task,
    age_band,
    share_of,
)
from services.diagnosis.datasets.hospital import evidence, people
from services.diagnosis.datasets.hospital.evidence import DAY_S
from services.diagnosis.datasets.hospital.export import find_files
from services.diagnosis.datasets.hospital.options import HospitalOptions
from services.diagnosis.datasets.hospital.people import Files
from services.diagnosis.datasets.hospital.radiographs import find_files as find_radiographs
from services.diagnosis.datasets.hospital.radiographs import read_pixels
from services.diagnosis.datasets.index import Index, dropped, fingerprint_of, of_split
from services.diagnosis.datasets.leakage import examine
from services.diagnosis.snapshot import LATERAL_VIEWS, MAX_IMAGES, MAX_NOTES
from shared.clock import Clock, utc_now
from shared.codes import DIAGNOSES

TASKS = (
    Task("diagnosis", tuple(coding.code for coding in DIAGNOSES), "diagnosis"),
    Task("in_hospital_death", ("survived", "died"), "deterioration24h"),
)
LICENCE = "the hospital's own data; research by consent of each patient"
DAYS_PER_YEAR = 365.2425


@dataclass(frozen=True)
class Hospital:
    """The DICOM files and the FHIR export below `path`.

    The index holds notes and identifiers of those who consented: keep it where the data itself may lie.

    Args:
        cache: directory of the index; None: a temporary one, made anew in each run.
        clock: consents are judged at this time; an index lasts until the end of its day.
    """

    path: Path
    cache: Path | None = None
    options: HospitalOptions = field(default_factory=HospitalOptions)
    clock: Clock = utc_now
    name: str = field(default="hospital", init=False)
    licence: str = field(default=LICENCE, init=False)
    tasks: tuple[Task, ...] = field(default=TASKS, init=False)

    def __post_init__(self) -> None:
        if self.cache is not None:  # a command line gives text
            object.__setattr__(self, "cache", Path(self.cache))

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name not in {"files", "index"}}

    @cached_property
    def files(self) -> Files:
        """Type of resource -> its files. Raises: DatasetError: some are missing."""
        return find_files(self.path)

    @cached_property
    def index(self) -> Index:
        """What the cases need; made at its first opening."""
        now = self.clock()
        sources = [file for files in self.files.values() for file in files] + list(find_radiographs(self.path))
        made = (
            *people.passes(self.files, self.options, now.timestamp()),
            *evidence.passes(self.path, self.files, self.options),
        )
        fingerprint = fingerprint_of(sources, (self.options, now.date()))
        return Index(self.cache, people.SCHEMA + evidence.SCHEMA, fingerprint, made)

    def check(self, *, strict: bool = False) -> LeakageReport:
        """As `Dataset.check`; every radiograph is decoded."""
        with self.index.open() as connection:
            cases = (self._case(connection, row) for row in _rows(connection))
            return examine(self.name, cases, self.tasks, strict=strict, dropped=dropped(connection))

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        """As `Dataset.cases`."""
        with self.index.open() as connection:
            for row in share_of(of_split(_rows(connection), self.name, split), shard):
                yield self._case(connection, row)

    def __len__(self) -> int:
        with self.index.open() as connection:
            return int(connection.execute("SELECT count(*) FROM cases").fetchone()[0])

    def _case(self, connection: sqlite3.Connection, case: sqlite3.Row) -> LabelledCase:
        oldest = case["as_of"] - self.options.evidence_days * DAY_S
        span = (case["person"], oldest, case["as_of"])
        age = None if case["born"] is None else round((case["as_of"] - case["born"]) / DAY_S / DAYS_PER_YEAR, 2)
        targets = {"diagnosis": case["diagnosis"], "in_hospital_death": case["died"]}
        return LabelledCase(
            id=case["id"],
            patient=case["patient"],
            inputs=CaseInput(
                as_of=_utc(case["as_of"]),
                images=tuple(_images(connection, span)),
                notes=tuple(_notes(connection, span)),
                vitals=_vitals(connection, span, case["id"]),
                age_years=age,
                sex=case["sex"],
            ),
            targets={task: label for task, label in targets.items() if label is not None},
            provenance=Provenance(
                dataset=self.name,
                source=case["source"],
                licence=LICENCE,
                research_consent=True,  # nobody else is in the index
                label_basis="Condition resources that clinicians recorded",
            ),
            subgroups={**({"sex": case["sex"]} if case["sex"] else {}), **age_band(age)},
            outcome_at=None if case["outcome"] is None else _utc(case["outcome"]),
        )


def _rows(connection: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    return iter(
        connection.execute(
            "SELECT cases.id, as_of, outcome, diagnosis, cases.died, cases.source, patients.row AS person, "
            "pseudonym AS patient, sex, born, NULL AS split "
            "FROM cases JOIN patients ON patients.row = cases.patient ORDER BY cases.row"
        )
    )


Span = tuple[int, float, float]
"""(row of the patient, from, to); seconds since 1970."""


def _images(connection: sqlite3.Connection, span: Span) -> Iterator[ImageInput]:
    query = "SELECT * FROM images WHERE patient = ? AND at BETWEEN ? AND ? ORDER BY at DESC, uid"
    newest = connection.execute(query, span).fetchall()
    frontal = [row for row in newest if (row["view"] or "").upper() not in LATERAL_VIEWS]
    for row in (frontal or newest)[:MAX_IMAGES]:
        yield ImageInput(
            id=row["uid"], sop_instance_uid=row["uid"], pixels=read_pixels(Path(row["file"])), rows=row["rows"],
            columns=row["columns"], effective_at=_utc(row["at"]), modality=row["modality"],
            body_part_examined=row["body"], view_position=row["view"],
        )  # fmt: skip


def _notes(connection: sqlite3.Connection, span: Span) -> Iterator[NoteInput]:
    query = "SELECT * FROM notes WHERE patient = ? AND at BETWEEN ? AND ? ORDER BY at DESC, id LIMIT ?"
    for row in connection.execute(query, (*span, MAX_NOTES)):
        yield NoteInput(row["id"], row["text"], _utc(row["at"]), row["type"])


def _vitals(connection: sqlite3.Connection, span: Span, case: str) -> VitalsInput | None:
    query = "SELECT * FROM samples WHERE patient = ? AND at BETWEEN ? AND ? ORDER BY at, code, value"
    rows = connection.execute(query, span).fetchall()
    if not rows:
        return None
    times_h = np.array([(row["at"] - span[2]) / 3600 for row in rows])
    values = np.array([row["value"] for row in rows], np.float64)
    return VitalsInput(f"{case}-vitals", times_h, tuple(row["code"] for row in rows), values)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
