"""Real cases in the shape that training takes, each with what it really has; and the splits of a cohort by patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from services.diagnosis.datasets.base import Dataset, LabelledCase, Task
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.preprocessing.image import image_statistics
from services.diagnosis.model.preprocessing.note_age import age_hours
from services.diagnosis.model.preprocessing.tabular import select_facts
from services.diagnosis.model.preprocessing.vitals import select
from services.diagnosis.training.cohort import NO_READINGS, CaseRecord, Cohort, squared
from services.diagnosis.training.learn import SPLITS
from shared.codes import Coding

GROUPS = ("sex", "age", "collection", "view")
UNKNOWN = "unknown"


def read_splits(dataset: Dataset, task: Task, config: ModelConfig) -> tuple[dict[str, Cohort], Counter[str]]:
    """Split -> its cases, no patient in two of them; and how many cases come under each licence.

    Cases of which the task's answer is unknown are left out.
    Raises: DatasetError; ValueError: the task's classes are not the configuration's labels one by one.
    """
    task = asked_one_by_one(task, config.labels)
    licences: Counter[str] = Counter()
    cohorts: dict[str, Cohort] = {}
    for split in SPLITS:
        cases = [case for case in dataset.cases(split=split) if task.name in case.targets]
        licences.update(case.provenance.licence for case in cases)
        cohorts[split] = cohort_of(cases, task, config)
    return cohorts, licences


def asked_one_by_one(task: Task, labels: tuple[Coding, ...]) -> Task:
    """The task in the labels of a bundle that is to answer it. Raises: ValueError: they are not its classes."""
    asked = task.asked_of(labels)
    if asked.groups != tuple((k,) for k in range(len(labels))):
        raise ValueError(f"the classes of {task.name} are not the labels {[coding.display for coding in labels]}")
    return asked


def cohort_of(cases: Iterable[LabelledCase], task: Task, config: ModelConfig) -> Cohort:
    """Cases of known answer as records, without pixels beyond what the image encoder takes."""
    return Cohort(tuple(record_of(case, task, config) for case in cases))


def record_of(case: LabelledCase, task: Task, config: ModelConfig) -> CaseRecord:
    """One case through the same steps as `inference.inputs`; what it lacks stays empty."""
    inputs = case.inputs
    record = CaseRecord(
        name=f"{case.provenance.dataset}:{case.id}",
        square=np.zeros((0, 0), np.uint8),
        statistics=np.zeros(0),
        text="",
        readings=NO_READINGS if inputs.vitals is None else select(inputs.vitals, inputs.as_of),
        label=case.targets[task.name],
        deterioration=False,  # nobody says of the next 24 hours, and nobody is asked
        masks={},
        spans=(),
        findings={},
        posterior={},
        worsening={},
        facts=select_facts(inputs),
        groups=_groups(case.subgroups),
        patient=case.patient,
    )
    if inputs.images:
        square, _ = squared(inputs.images[0].pixels, config.image.side)
        statistics = image_statistics((square / 255).astype(np.float32))
        record = replace(record, square=square, statistics=statistics, view=inputs.images[0].view_position)
    if inputs.notes:
        note = inputs.notes[0]
        record = replace(record, text=note.text, note_age_h=age_hours(note.authored, inputs.as_of))
    return record


def _groups(known: Mapping[str, str]) -> dict[str, str]:
    return {name: known.get(name, UNKNOWN) for name in GROUPS}
