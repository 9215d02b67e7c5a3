"""The ward as a dataset: cases are made when they are asked for, so that no number of patients is too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

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
    split_of,
)
from services.diagnosis.datasets.leakage import examine
from services.diagnosis.ward.conditions import SHIFTS
from services.diagnosis.ward.generate import generate_patient
from services.diagnosis.ward.patient import WardPatient
from shared.codes import DIAGNOSES, SEVERITIES

NAME = "ward"
LICENCE = "synthetic; Apache-2.0 like the code that makes it"
TASKS = (
    Task("diagnosis", tuple(code.code for code in DIAGNOSES), "diagnosis"),
    Task("deterioration24h", ("no", "yes"), "deterioration24h"),
    # No task of its own to a bundle: its figures stand beside those of the others.
    Task("severity", tuple(code.code for code in SEVERITIES), None),
)
SKIN = {1: "I-II", 2: "I-II", 3: "III-IV", 4: "III-IV", 5: "V-VI", 6: "V-VI"}
"""Fitzpatrick type -> subgroup."""
CHECKED, CHECKED_SIDE = 100, 64
"""A ward has no files that could be wrong: a check reads the notes of so many patients, with small images."""


@dataclass(frozen=True)
class Ward:
    """Patients `start` to `start + patients - 1` of ward `seed`.

    Args:
        shift: one of `ward.conditions.SHIFTS`.
        side: rows of the image.
    """

    seed: int = 0
    patients: int = 1000
    shift: str = "standard"
    start: int = 0
    side: int = 512
    name: str = field(default=NAME, init=False)
    licence: str = field(default=LICENCE, init=False)
    tasks: tuple[Task, ...] = field(default=TASKS, init=False)

    def __post_init__(self) -> None:
        if self.shift not in SHIFTS:
            problem = f"There is no shift {self.shift!r}."
            raise DatasetError(Place(Path(NAME)), problem, f"Use one of {', '.join(SHIFTS)}.")
        if min(self.seed, self.start) < 0 or self.patients < 1:
            problem = "Seed and start must not be negative, and there must be a patient."
            raise DatasetError(Place(Path(NAME)), problem, "Correct --seed, --start or --patients.")

    def check(self, *, strict: bool = False) -> LeakageReport:
        """As `Dataset.check`, on the first hundred patients."""
        few = replace(self, side=CHECKED_SIDE).cases()
        return examine(self.name, islice(few, CHECKED), self.tasks, strict=strict)

    def cases(self, *, split: Split | None = None, shard: tuple[int, int] = (0, 1)) -> Iterator[LabelledCase]:
        """As `Dataset.cases`; a patient is a function of seed, index and shift, whatever the shard."""
        indices = range(self.start, self.start + self.patients)
        chosen = (index for index in indices if split is None or split == self._split(index))
        for index in share_of(chosen, shard):
            yield self._case(index)

    def __len__(self) -> int:
        return self.patients

    def _patient(self, index: int) -> WardPatient:
        """Cheap: nothing is rendered before it is asked for."""
        return generate_patient(self.seed, index, side=self.side, conditions=SHIFTS[self.shift])

    def _split(self, index: int) -> Split:
        return split_of(self.name, self._patient(index).patient_id)

    def _case(self, index: int) -> LabelledCase:
        patient = self._patient(index)
        return LabelledCase(
            id=patient.patient_id,
            patient=patient.patient_id,
            inputs=patient.case(),
            targets={
                "diagnosis": patient.recorded_label,
                "deterioration24h": int(patient.latents.deterioration),
                "severity": patient.latents.severity,
            },
            provenance=Provenance(
                dataset=self.name,
                source=f"ward:{self.seed}:{index}",
                licence=self.licence,
                research_consent=True,  # nobody is behind it
                citation="Synthetic data, not for clinical use",
                label_basis="recorded in the ward" if patient.conditions.label_noise else "the ward's own truth",
            ),
            subgroups=subgroups_of(patient),
            truth=patient.truth,
        )


def subgroups_of(patient: WardPatient) -> dict[str, str]:
    """Sex, skin, site and age band: what the figures are split by."""
    person = patient.person
    known = {"sex": person.sex, "skin": SKIN[person.skin_type], "site": person.site}
    return {**known, **age_band(person.age_years)}
