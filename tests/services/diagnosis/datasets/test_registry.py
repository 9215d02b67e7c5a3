"""Datasets by name, and what holds of every one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from services.diagnosis.datasets.base import Dataset, DatasetError, Split, split_of
from services.diagnosis.datasets.registry import READERS, open_dataset
from tests.services.diagnosis.datasets.tiny import write_challenge, write_cohort, write_reports, write_stays

Open = Callable[[Path], Dataset]
OPEN: dict[str, Open] = {
    "ward": lambda _: open_dataset("ward", seed=3, patients=40, side=64),
    "cxr-cohort": lambda path: open_dataset("cxr-cohort", write_cohort(path)),
    "physionet-2012": lambda path: open_dataset("physionet-2012", write_stays(path)),
    "physionet-2012 as published": lambda path: open_dataset("physionet-2012", write_challenge(path)),
    "open-i": lambda path: open_dataset("open-i", write_reports(path)),
}


@pytest.fixture(params=list(OPEN))
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    return OPEN[request.param](tmp_path)


def test_no_patient_is_in_two_splits_and_none_is_lost(dataset: Dataset) -> None:
    everyone = {case.patient for case in dataset.cases()}
    splits = {split: {case.patient for case in dataset.cases(split=split)} for split in get_args(Split)}
    assert sum(len(patients) for patients in splits.values()) == len(everyone)
    assert set().union(*splits.values()) == everyone
    assert all(split_of(dataset.name, patient) == split for split, own in splits.items() for patient in own)


def test_shards_of_a_split_are_that_split(dataset: Dataset) -> None:
    whole = [case.id for case in dataset.cases(split="train")]
    parts = [[case.id for case in dataset.cases(split="train", shard=(k, 3))] for k in range(3)]
    assert whole
    assert [parts[k % 3][k // 3] for k in range(len(whole))] == whole


def test_every_case_has_a_source_a_licence_and_targets_of_the_dataset_s_tasks(dataset: Dataset) -> None:
    classes = {task.name: len(task.classes) for task in dataset.tasks}
    count = 0
    for count, case in enumerate(dataset.cases(), start=1):  # noqa: B007  # the count is looked at below
        assert case.provenance.source
        assert case.provenance.licence
        assert case.provenance.research_consent
        assert case.targets
        assert all(0 <= label < classes[task] for task, label in case.targets.items())
    assert count == len(dataset)


def test_an_unknown_dataset_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        DatasetError, match="Use one of ward, cxr-cohort, cxr-paediatric, physionet-2012, open-i, mimic, hospital"
    ):
        open_dataset("chexpert")


@pytest.mark.parametrize("name", [name for name, reader in READERS.items() if reader.needs_path])
def test_a_dataset_of_files_wants_a_path(name: str) -> None:
    with pytest.raises(DatasetError, match=f"{name}: The dataset is read from a folder"):
        open_dataset(name)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="absent: There is no such folder"):
        open_dataset("open-i", tmp_path / "absent")


def test_the_ward_takes_no_path(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="The dataset is made, not read"):
        open_dataset("ward", tmp_path)


def test_an_unknown_option_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no option seed\. It takes note, collection"):
        open_dataset("cxr-cohort", tmp_path, seed=3)
    with pytest.raises(DatasetError, match=r"no option seed\. It takes none"):
        open_dataset("physionet-2012", tmp_path, seed=3)


@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_can_be_loaded(name: str) -> None:
    build, _ = READERS[name].load()
    assert callable(build)


def test_options_that_a_reader_bundles_are_given_by_name(tmp_path: Path) -> None:
    assert open_dataset("mimic", tmp_path, hours=6.0).options.hours == 6.0  # type: ignore[attr-defined]


def test_an_option_that_a_reader_cannot_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="mimic: An option cannot be taken: hours"):
        open_dataset("mimic", tmp_path, hours=-1.0)
