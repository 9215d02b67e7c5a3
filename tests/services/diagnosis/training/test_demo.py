from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.diagnosis.bundle.contents import read_bundle
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.training.demo import train_demo
from services.diagnosis.training.recipe import Recipe
from services.diagnosis.ward.generate import iter_cases

TINY = replace(
    Recipe().scaled(epochs=0.01), train=96, calibration=64, test=64, batch_size=32, variants=2, references=16
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tiny") / "bundle"
    train_demo(out, seed=3, recipe=TINY, processes=1, quiet=True)
    return out


def test_a_tiny_run_gives_a_bundle_that_predicts(bundle: Path) -> None:
    ((case, _),) = iter_cases(1, 0, 1, side=512)
    prediction = Predictor.load(bundle).predict(case)
    assert prediction.bundle.name == "consilium-demo"
    assert set(prediction.modalities) == {"image", "note", "vitals"}


def test_a_bundle_records_what_it_was_trained_on(bundle: Path) -> None:
    training = read_bundle(bundle)[1].training
    assert training["seed"] == 3
    assert {name: split["cases"] for name, split in training["data"].items()} == {
        "train": 96,
        "calibration": 64,
        "test": 64,
    }
    assert len({split["digest"] for split in training["data"].values()}) == 3


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    again = train_demo(tmp_path / "again", seed=3, recipe=TINY, processes=2, quiet=True)
    assert again == read_bundle(bundle)[0]
