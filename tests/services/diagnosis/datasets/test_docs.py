"""The page about datasets names every dataset, task and option there is."""

from __future__ import annotations

from inspect import signature

import pytest

from services.diagnosis.datasets import cxr_cohort, cxr_paediatric, open_i, physionet2012, ward
from services.diagnosis.datasets.registry import READERS
from tests.support.common import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "reference" / "datasets.md").read_text(encoding="utf-8")
TASKS = [*ward.TASKS, *cxr_cohort.TASKS, *cxr_paediatric.TASKS, *physionet2012.TASKS, *open_i.TASKS]
OPTIONS = [
    name
    for reader in (ward.Ward, cxr_cohort.CxrCohort, physionet2012.PhysioNet2012, open_i.OpenI)
    for name in signature(reader).parameters
    if name != "path"
]


@pytest.mark.parametrize("name", [*READERS, *(task.name for task in TASKS), *OPTIONS])
def test_the_page_names_it(name: str) -> None:
    assert f"`{name}`" in PAGE
