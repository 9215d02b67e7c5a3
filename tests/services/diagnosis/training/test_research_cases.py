from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.diagnosis.datasets.cxr_cohort import CxrCohort
from services.diagnosis.model.config import ModelConfig
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.training.recipe import RESEARCH_CXR
from services.diagnosis.training.research import CAUSE
from services.diagnosis.training.research_cases import asked_one_by_one, read_splits
from tests.services.diagnosis.training.tiny_research import FINDINGS, write_research_cohort


def test_every_case_holds_what_was_published_with_it(tmp_path: Path) -> None:
    dataset = CxrCohort(write_research_cohort(tmp_path, patients=30))
    cohorts, licences = read_splits(dataset, CAUSE, RESEARCH_CXR.model)
    assert sum(licences.values()) == sum(map(len, cohorts.values())) == 33
    for cohort in cohorts.values():
        for record, held in zip(cohort.records, cohort.available(), strict=True):
            k = int(record.patient[1:])
            expected = {"image": True, "note": k % 3 > 0, "vitals": k % 4 == 0, "tabular": True}
            assert dict(zip(MODALITIES, held.tolist(), strict=True)) == expected
            assert FINDINGS[record.label] == FINDINGS[k % 3]


def test_images_of_one_patient_stay_in_one_split(tmp_path: Path) -> None:
    dataset = CxrCohort(write_research_cohort(tmp_path, patients=30))
    cohorts, _ = read_splits(dataset, CAUSE, RESEARCH_CXR.model)
    people = [set(cohort.patients.tolist()) for cohort in cohorts.values()]
    assert sum(map(len, people)) == len(set.union(*people)) == 30
    assert any(len(cohort) > len(np.unique(cohort.patients)) for cohort in cohorts.values())


def test_a_bundle_of_other_labels_is_not_trained_on_the_task() -> None:
    with pytest.raises(ValueError, match="covid19"):
        asked_one_by_one(CAUSE, ModelConfig().labels)
