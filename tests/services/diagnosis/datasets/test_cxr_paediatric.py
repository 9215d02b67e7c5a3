from __future__ import annotations

from pathlib import Path

import pytest

from services.diagnosis.datasets.base import DatasetError
from services.diagnosis.datasets.cxr_paediatric import CxrPaediatric
from services.diagnosis.datasets.registry import open_dataset
from tests.services.diagnosis.training.tiny_research import write_children, write_film


def test_every_child_is_an_image_and_a_label(tmp_path: Path) -> None:
    dataset = open_dataset("cxr-paediatric", write_children(tmp_path))
    cases = list(dataset.cases())
    assert [case.targets for case in cases[:3]] == [
        {"pneumonia": 0, "kind": 0}, {"pneumonia": 1, "kind": 1}, {"pneumonia": 1, "kind": 2},
    ]  # fmt: skip
    assert {case.inputs.facts for case in cases} == {False}
    assert cases[0].provenance.source == "labels.csv:2"
    assert dataset.check(strict=True).cases == len(dataset) == 12


def test_splits_and_shards_share_the_children_out(tmp_path: Path) -> None:
    dataset = CxrPaediatric(write_children(tmp_path))
    splits = [case.id for split in ("train", "calibration", "test") for case in dataset.cases(split=split)]
    shards = [case.id for k in range(2) for case in dataset.cases(shard=(k, 2))]
    assert sorted(splits) == sorted(shards) == sorted(case.id for case in dataset.cases())


def test_the_same_film_twice_is_an_error(tmp_path: Path) -> None:
    write_children(tmp_path)
    for name in ("c1", "c4"):
        write_film(tmp_path / "images" / f"{name}.png", 70, 7)
    with pytest.raises(DatasetError, match=r"labels\.csv:6.*same image"):
        CxrPaediatric(tmp_path).check()
