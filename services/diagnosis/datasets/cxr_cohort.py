"""The chest X-ray cohort: published radiographs, each with its note, laboratory values, vital signs and outcomes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.diagnosis.case import CaseInput, ImageInput, LaboratoryValue, NoteInput, VitalsInput
from services.diagnosis.datasets.base import (
    DAY_ZERO,
    DatasetError,
    LabelledCase,
    LeakageReport,
    Place,
    Provenance,
    Split,
    Task,
    age_band,
    share_of,
    split_of,
)
from services.diagnosis.datasets.cxr_observations import Observation, read_observations
from services.diagnosis.datasets.leakage import examine
from services.diagnosis.datasets.pictures import derived_uid, read_bits, read_radiograph
from services.diagnosis.datasets.tables import Duplicates, Row, read_rows
from shared.codes import COVID_19_PNEUMONIA, DIAGNOSES, LABORATORY, NO_ACUTE_DISEASE, PNEUMONIA

NOTE_COLUMNS = ("note_text_masked_strict", "note_text_masked", "note_text")
COLLECTIONS = ("covid-image-data-collection", "hannover-covid19-image-repository", "nih-chestxray14")
FINDINGS = ("none", "bacterial", "covid19", "fungal", "other_viral", "other")
CAUSES = ("none", "covid19", "other")
_CAUSE = {0: 0, FINDINGS.index("covid19"): 1}
ANY_PNEUMONIA = (PNEUMONIA.code, COVID_19_PNEUMONIA.code)
TASKS = (
    Task("pneumonia", ("none", "pneumonia"), "diagnosis", codes=((), ANY_PNEUMONIA)).asked_of(DIAGNOSES),
    Task("cause", CAUSES, "diagnosis", codes=((NO_ACUTE_DISEASE.code,), (COVID_19_PNEUMONIA.code,), (PNEUMONIA.code,))),
    Task("finding", FINDINGS, None),
    Task("icu", ("no", "icu"), "deterioration24h"),
    Task("death", ("survived", "died"), "deterioration24h"),
)
COLUMNS = (
    "image_id", "image_file", "patient_id", "study_offset_days", "sex", "age", "finding", "label_basis", "survival",
    "went_icu", "in_icu_at_image", "view", *NOTE_COLUMNS, "collection", "licence", "credit", "source_url",
)  # fmt: skip
REGIONS = {4: "ground_glass", 8: "consolidation", 16: "pleural_effusion", 32: "pneumothorax", 64: "device"}
"""Bit of a mask -> finding, named as in the ward where it has the same."""
CONSULT_NOTE = "11488-4"
TESTS = frozenset(test.coding.code for test in LABORATORY)
FRESH_H = 48.0
"""A laboratory value that is older says little of the patient at the time of the image."""


@dataclass(frozen=True)
class CxrCohort:
    """The cohort below `path`, as its README describes it.

    Args:
        note: which column of notes; the token [MASKED] is removed.
        collection: only cases of that collection, because the collection predicts the finding.
    """

    path: Path
    note: str = NOTE_COLUMNS[0]
    collection: str | None = None
    name: str = field(default="cxr-cohort", init=False)
    licence: str = field(default="CC BY-NC-SA 4.0 as a whole; each image its own", init=False)
    tasks: tuple[Task, ...] = field(default=TASKS, init=False)

    def __post_init__(self) -> None:
        for what, value, known in (("note", self.note, NOTE_COLUMNS), ("collection", self.collection, COLLECTIONS)):
            if value is not None and value not in known:
                problem = f"There is no {what} {value!r} in the cohort."
                raise DatasetError(Place(self.path / "cohort.csv"), problem, f"Use one of {', '.join(known)}.")

    def check(self, *, strict: bool = False) -> LeakageReport:
        """As `Dataset.check`; every image and mask is decoded."""
        names, images, people = Duplicates("image_id"), Duplicates("image"), dict[str, str]()
        for row in self._rows(everything=True):
            patient, file = row.required("patient_id"), self.path / row.required("image_file")
            names.add(row.required("image_id").encode(), patient, row.place)
            if file.is_file():  # where it is not, reading the case says so
                images.add(file.read_bytes(), patient, row.place)
            people[row.required("image_id")] = patient
        observations, dropped = read_observations(self.path / "observations.csv", people)
        cases = (self._case(row, observations, dropped) for row in self._rows())
        return examine(self.name, cases, self.tasks, strict=strict, dropped=dropped)

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        """As `Dataset.cases`."""
        people = {row.required("image_id"): row.required("patient_id") for row in self._rows(everything=True)}
        observations, dropped = read_observations(self.path / "observations.csv", people)
        rows = (row for row in self._rows() if split in (None, split_of(self.name, row.required("patient_id"))))
        for row in share_of(rows, shard):
            yield self._case(row, observations, dropped)

    def __len__(self) -> int:
        return sum(1 for _ in self._rows())

    def _rows(self, *, everything: bool = False) -> Iterator[Row]:
        for row in read_rows(self.path / "cohort.csv", COLUMNS):
            if everything or self.collection in (None, row.text("collection")):
                yield row

    def _case(self, row: Row, observations: Mapping[str, list[Observation]], dropped: Counter[str]) -> LabelledCase:
        image_id, sex = row.required("image_id"), row.choice("sex", {"M": "M", "F": "F"})
        age, view = row.number("age", 0, 120), row.text("view")
        as_of = DAY_ZERO + timedelta(days=row.number("study_offset_days", -3650, 3650) or 0.0)
        pixels, size = read_radiograph(self.path / row.required("image_file"))
        image = ImageInput(image_id, derived_uid(image_id), pixels, *size, as_of, "DX", "CHEST", view)
        text, own = _unmasked(row, self.note, dropped), observations.get(image_id, [])
        notes = (NoteInput(f"{image_id}-note", text, as_of, CONSULT_NOTE),) if text else ()
        return LabelledCase(
            id=image_id,
            patient=row.required("patient_id"),
            inputs=CaseInput(
                as_of, (image,), notes, _vitals(image_id, own), age, sex, _laboratory(own), (f"{image_id}-facts",)
            ),
            targets=_targets(row),
            provenance=_provenance(row),
            subgroups={**_known(row, "collection", "sex", "view"), **age_band(age)},
            measurements={item.code: item.value for item in own if item.at_h >= -FRESH_H},
            regions=self._regions(image_id, size, pixels.shape),
        )

    def _regions(self, image_id: str, size: tuple[int, int], grid: tuple[int, ...]) -> dict[str, NDArray[np.bool_]]:
        file = self.path / "masks" / f"{image_id}.png"
        if not file.is_file():
            return {}
        bits = read_bits(file, size=size, grid=grid)
        regions = {finding: (bits & bit) > 0 for bit, finding in REGIONS.items()}
        return {finding: region for finding, region in regions.items() if region.any()}


def _targets(row: Row) -> dict[str, int]:
    finding = row.choice("finding", {name: index for index, name in enumerate(FINDINGS)})
    died, icu = row.choice("survival", {"Y": 0, "N": 1}), row.choice("went_icu", {"N": 0, "Y": 1})
    if row.choice("in_icu_at_image", {"N": False, "Y": True}) is not False:
        icu = None  # there already, or nobody says: nothing is left to predict
    seen = {} if finding is None else {"pneumonia": int(finding > 0), "cause": _CAUSE.get(finding, 2)}
    known = {**seen, "finding": finding, "icu": icu, "death": died}
    return {task: label for task, label in known.items() if label is not None}


def _provenance(row: Row) -> Provenance:
    return Provenance(
        dataset="cxr-cohort",
        source=f"{row.place.file.name}:{row.place.row}",
        licence=row.required("licence"),
        research_consent=True,  # every licence of the cohort permits research
        citation="; ".join(filter(None, (row.text("credit"), row.text("source_url"), row.text("collection")))),
        label_basis=row.required("label_basis"),
    )


def _known(row: Row, *columns: str) -> dict[str, str]:
    return {column: value for column in columns if (value := row.text(column)) is not None}


def _unmasked(row: Row, column: str, dropped: Counter[str]) -> str | None:
    """The note without the token [MASKED]; None where there is none, or where the mask left no word."""
    text = row.note(column)
    if text is None:
        return None
    kept = re.sub(r"[ ]?\[MASKED\]", "", text)
    if not re.search(r"\w", kept):
        dropped["note: all of it is masked"] += 1
        return None
    return kept


def _vitals(image_id: str, own: list[Observation]) -> VitalsInput | None:
    signs = [item for item in own if item.sign]
    if not signs:
        return None
    times_h, values = np.array([item.at_h for item in signs]), np.array([item.value for item in signs])
    return VitalsInput(f"{image_id}-vitals", times_h, tuple(item.code for item in signs), values)


def _laboratory(own: list[Observation]) -> tuple[LaboratoryValue, ...]:
    """The newest fresh value of each test that a bundle knows."""
    fresh = {item.code: item.value for item in own if item.at_h >= -FRESH_H and item.code in TESTS}
    return tuple(LaboratoryValue(code, value) for code, value in sorted(fresh.items()))
