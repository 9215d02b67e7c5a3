from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.diagnosis.bundle.contents import read_bundle, write_bundle
from services.diagnosis.bundle.errors import BundleTampered, NotABundle
from services.diagnosis.bundle.manifest import verify_manifest
from services.diagnosis.bundle.verification import verify_bundle
from services.diagnosis.evaluation.baselines.features import Features
from services.diagnosis.evaluation.baselines.suite import BaselineSuite
from services.diagnosis.inference.prediction import OrdinalRisk
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.training.demo import train_demo
from services.diagnosis.training.recipe import Recipe
from services.diagnosis.ward.generate import iter_cases

pytestmark = pytest.mark.slow  # trains a whole bundle, if a tiny one

TINY = replace(
    Recipe().scaled(epochs=0.01),
    train=96,
    calibration=64,
    test=64,
    notes_alone=32,
    batch_size=32,
    variants=2,
    references=16,
    joint_epochs=1,
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
    assert set(prediction.modalities) == set(MODALITIES)
    assert list(prediction.risks) == ["deterioration24h", "severity"]
    severity = prediction.risks["severity"]
    assert isinstance(severity, OrdinalRisk)
    assert sum(level.probability for level in severity.levels) == pytest.approx(1)


def test_the_card_measures_the_severity_beside_the_best_possible(bundle: Path) -> None:
    card = read_bundle(bundle)[1].card
    for figures in card["metrics"]["patterns"].values():
        for name in ("moderateAuroc", "severeAuroc", "oracleModerateAuroc", "oracleSevereAuroc"):
            assert 0 <= figures[name] <= 1
    assert "a severe illness" in card["outputs"]
    assert len(read_bundle(bundle)[1].prevalence) == 11


def test_a_bundle_records_what_it_was_trained_on(bundle: Path) -> None:
    training = read_bundle(bundle)[1].training
    assert training["seed"] == 3
    assert {name: split["cases"] for name, split in training["data"].items()} == {
        "train": 96,
        "calibration": 64,
        "test": 64,
        "notes alone": 32,
    }
    assert len({split["digest"] for split in training["data"].values()}) == 4


def test_a_bundle_names_source_and_licence_of_data_and_parts(bundle: Path) -> None:
    training = read_bundle(bundle)[1].training
    assert {split["source"] for split in training["data"].values()} == {"synthetic ward, seed 1000003"}
    assert all(split["licence"] for split in training["data"].values())
    assert {part["licence"] for part in training["parts"]} == {"Apache-2.0"}


def test_the_card_counts_every_patient_in_one_group_of_each_attribute(bundle: Path) -> None:
    contents = read_bundle(bundle)[1]
    attributes = contents.card["metrics"]["subgroups"]["attributes"]
    assert set(attributes) == {"sex", "age", "skin", "site"}
    for attribute in attributes.values():
        assert sum(group["n"] for group in attribute["groups"].values()) == 64
    assert sum(contents.training["data"]["train"]["groups"]["sex"].values()) == 96


def test_a_trained_bundle_is_signed_with_the_users_own_key(bundle: Path) -> None:
    assert verify_bundle(bundle).signer.name == "local"


def test_a_directory_with_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.md").write_text("years of work")
    with pytest.raises(NotABundle):
        train_demo(tmp_path, seed=3, recipe=TINY, processes=1, quiet=True)
    assert (tmp_path / "thesis.md").read_text() == "years of work"


def test_a_bundle_brings_the_baselines_it_is_compared_with(bundle: Path) -> None:
    suite = BaselineSuite.load(bundle)
    assert suite.modalities == MODALITIES
    count = len(MODALITIES)
    features = Features(
        np.zeros((2, count, 64), np.float32), np.zeros((2, count, 8, 64), np.float32), np.ones((2, count), bool)
    )
    for name in suite.names:
        np.testing.assert_allclose(suite.probabilities(name, features).sum(axis=1), 1)


def test_the_baselines_are_under_the_digest_of_the_bundle(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    (copy / "configs" / "baselines.json").write_text("{}")
    with pytest.raises(BundleTampered, match=r"baselines\.json"):
        verify_manifest(copy)


def test_a_bundle_without_baselines_predicts_too(bundle: Path, tmp_path: Path) -> None:
    identity, contents = read_bundle(bundle)
    bare = write_bundle(tmp_path / "bare", contents, name=identity.name, version=identity.version)
    assert not (tmp_path / "bare" / "configs" / "baselines.json").exists()
    assert Predictor.load(tmp_path / "bare").bundle == bare


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bundle(bundle: Path, tmp_path: Path) -> None:
    again = train_demo(tmp_path / "again", seed=3, recipe=TINY, processes=2, quiet=True)
    assert again == read_bundle(bundle)[0]
