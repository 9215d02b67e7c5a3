"""MIMIC as a stream of cases: one per stay, with what was known of it some hours after arrival."""

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
    DatasetError,
    LabelledCase,
    LeakageReport,
    Place,
    Provenance,
    Split,
    Task,
    age_band,
    share_of,
)
from services.diagnosis.datasets.index import Index, dropped, fingerprint_of, of_split
from services.diagnosis.datasets.leakage import examine
from services.diagnosis.datasets.mimic import evidence, stays
from services.diagnosis.datasets.mimic.layout import Layout, locate
from services.diagnosis.datasets.mimic.options import MimicOptions
from services.diagnosis.datasets.mimic.signs import CODES
from services.diagnosis.datasets.pictures import read_radiograph
from services.diagnosis.snapshot import LATERAL_VIEWS, MAX_IMAGES, MAX_NOTES
from shared.codes import DIAGNOSES

TASKS = (
    Task("diagnosis", tuple(coding.code for coding in DIAGNOSES), "diagnosis"),
    Task("deterioration24h", ("stable", "icu_or_death"), "deterioration24h"),
    Task("in_hospital_death", ("survived", "died"), "deterioration24h"),
)
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = (
    "Johnson A et al., MIMIC-IV, Sci Data 10, 1 (2023), doi:10.1038/s41597-022-01899-x; "
    "MIMIC-IV-ED, doi:10.13026/5ntk-km72; MIMIC-IV-Note, doi:10.13026/1n74-ne17; "
    "MIMIC-CXR-JPG, doi:10.13026/jsn5-t979"
)
LABELS = "ICD codes of the stay, given after discharge; transfers and deaths as recorded"
TRIAGE_NOTE = "54094-8"
SHARED_COLUMNS = "CAST(stays.subject AS TEXT) AS patient, splits.split AS split"
RACES = ("WHITE", "BLACK", "ASIAN", "HISPANIC")


@dataclass(frozen=True)
class Mimic:
    """MIMIC below `path`, as downloaded from PhysioNet.

    The first use makes an index in `cache` (hours for the whole of MIMIC, most of them for `icu/chartevents`), which
    later uses find again. It holds notes: keep it where MIMIC itself may lie.

    Args:
        cache: directory of the index; None: a temporary one, made anew in each run.
    """

    path: Path
    cache: Path | None = None
    options: MimicOptions = field(default_factory=MimicOptions)
    name: str = field(default="mimic", init=False)
    licence: str = field(default=LICENCE, init=False)
    tasks: tuple[Task, ...] = field(default=TASKS, init=False)

    def __post_init__(self) -> None:
        if self.cache is not None:  # a command line gives text
            object.__setattr__(self, "cache", Path(self.cache))

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name not in {"layout", "index"}}

    @cached_property
    def layout(self) -> Layout:
        """The files. Raises: DatasetError: some are missing."""
        return locate(self.path, ed=self.options.unit == "ed", split=self.options.official_split)

    @cached_property
    def index(self) -> Index:
        """What the cases need of the tables; made at its first opening."""
        ed, split = self.options.unit == "ed", self.options.official_split
        files = [self.layout.table(name) for name in self.layout.tables(ed=ed, split=split)]
        made = (*stays.passes(self.layout, self.options), *evidence.passes(self.layout, self.options))
        return Index(self.cache, stays.SCHEMA + evidence.SCHEMA, fingerprint_of(files, self.options), made)

    def check(self, *, strict: bool = False) -> LeakageReport:
        """As `Dataset.check`; of each radiograph the first and last bytes are read, because MIMIC has 377,110."""
        with self.index.open() as connection:
            cases = (self._case(connection, row, pixels=False) for row in self._rows(connection))
            return examine(self.name, cases, self.tasks, strict=strict, dropped=dropped(connection))

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        """As `Dataset.cases`."""
        with self.index.open() as connection:
            for row in share_of(of_split(self._rows(connection), self.name, split), shard):
                yield self._case(connection, row, pixels=True)

    def __len__(self) -> int:
        with self.index.open() as connection:
            return int(connection.execute("SELECT count(*) FROM stays").fetchone()[0])

    def _rows(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Row]:
        return iter(
            connection.execute(
                f"SELECT stays.*, sex, anchor_age, anchor_year, {SHARED_COLUMNS} FROM stays "  # noqa: S608  # ours
                "JOIN subjects USING (subject) LEFT JOIN splits USING (subject) ORDER BY stays.row"
            )
        )

    def _case(self, connection: sqlite3.Connection, stay: sqlite3.Row, *, pixels: bool) -> LabelledCase:
        age = _age(stay)
        table = self.layout.table("ed/edstays" if self.options.unit == "ed" else "hosp/admissions")
        event_at = stay["icu_at"] if stay["deterioration"] and stay["icu_at"] is not None else stay["ends"]
        return LabelledCase(
            id=str(stay["stay"]),
            patient=stay["patient"],
            inputs=CaseInput(
                as_of=_utc(stay["as_of"]),
                images=tuple(self._images(connection, stay, pixels=pixels)),
                notes=tuple(_notes(connection, stay)),
                vitals=_vitals(connection, stay),
                age_years=age,
                sex=stay["sex"],
            ),
            targets=_targets(stay),
            provenance=Provenance(
                dataset=self.name,
                source=f"{table.name}:{stay['row']}",
                licence=LICENCE,
                # The review board of the hospital waived consent; the licence permits research by whoever signed it.
                research_consent=True,
                citation=CITATION,
                label_basis=LABELS,
            ),
            subgroups={**({"sex": stay["sex"]} if stay["sex"] else {}), **age_band(age), "race": _race(stay["race"])},
            outcome_at=_utc(min(stay["ends"], event_at)),
        )

    def _images(self, connection: sqlite3.Connection, stay: sqlite3.Row, *, pixels: bool) -> Iterator[ImageInput]:
        query = "SELECT * FROM images WHERE stay_row = ? ORDER BY at DESC, dicom"
        newest = connection.execute(query, (stay["row"],)).fetchall()
        frontal = [row for row in newest if (row["view"] or "").upper() not in LATERAL_VIEWS]
        for row in (frontal or newest)[:MAX_IMAGES]:
            file = self.layout.jpg(stay["subject"], row["study"], row["dicom"])
            if not file.is_file():
                problem = f"The radiograph of this row is missing: {file}."
                place = Place(self.layout.table("mimic-cxr-2.0.0-metadata"), row["line"])
                raise DatasetError(place, problem, "Download it, or remove the row.")
            if not pixels:
                _check_whole(file)
            shown = read_radiograph(file)[0] if pixels else np.zeros((1, 1), np.float32)
            yield ImageInput(
                id=row["dicom"], sop_instance_uid=row["dicom"], pixels=shown, rows=row["rows"], columns=row["columns"],
                effective_at=_utc(row["at"]), body_part_examined="CHEST", view_position=row["view"],
            )  # fmt: skip


def _check_whole(file: Path) -> None:
    """Raises: DatasetError: the file does not begin and end as a JPEG does (ISO/IEC 10918-1 B.1.1.3)."""
    with file.open("rb") as stream:
        begins = stream.read(2) == b"\xff\xd8"
        stream.seek(-min(64, stream.seek(0, 2)), 2)
        if not begins or b"\xff\xd9" not in stream.read():
            raise DatasetError(Place(file), "The picture cannot be read.", "Download it again, or remove its row.")


def _notes(connection: sqlite3.Connection, stay: sqlite3.Row) -> Iterator[NoteInput]:
    """The complaint at triage, then the newest letters of earlier stays."""
    if stay["complaint"]:
        text = f"Chief complaint: {stay['complaint']}"
        yield NoteInput(f"{stay['stay']}-triage", text, _utc(stay["arrival"]), TRIAGE_NOTE)
    query = "SELECT * FROM notes WHERE stay_row = ? ORDER BY at DESC, id LIMIT ?"
    for row in connection.execute(query, (stay["row"], MAX_NOTES - bool(stay["complaint"]))):
        yield NoteInput(row["id"], row["text"], _utc(row["at"]), row["type"])


def _vitals(connection: sqlite3.Connection, stay: sqlite3.Row) -> VitalsInput | None:
    query = "SELECT at, code, value FROM signs WHERE stay_row = ? ORDER BY at, code, value"
    rows = connection.execute(query, (stay["row"],)).fetchall()
    if not rows:
        return None
    times_h = np.array([(row["at"] - stay["as_of"]) / 3600 for row in rows])
    codes, values = tuple(CODES[row["code"]] for row in rows), np.array([row["value"] for row in rows], np.float64)
    return VitalsInput(f"{stay['stay']}-vitals", times_h, codes, values)


def _targets(stay: sqlite3.Row) -> dict[str, int]:
    known = {
        "diagnosis": stay["diagnosis"],
        "deterioration24h": stay["deterioration"],
        "in_hospital_death": int(stay["expired"]),
    }
    return {task: label for task, label in known.items() if label is not None}


def _age(stay: sqlite3.Row) -> float | None:
    """Age at the stay, from the age in the subject's anchor year; 91 there stands for everybody above 89."""
    if stay["anchor_age"] is None or stay["anchor_year"] is None:
        return None
    return float(stay["anchor_age"] + _utc(stay["arrival"]).year - stay["anchor_year"])


def _race(text: str | None) -> str:
    return next((race for race in RACES if (text or "").upper().startswith(race)), "OTHER OR UNKNOWN").lower()


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
