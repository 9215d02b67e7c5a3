"""Recipes: published sizes, and what is left of a recipe when little of it is run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from services.diagnosis.bundle.verification import verify_bundle
from services.diagnosis.inference.predictor import Predictor
from services.diagnosis.model.encoder import Encoder
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import ConsiliumNetwork, parameter_count
from services.diagnosis.training.demo import train_demo
from services.diagnosis.training.recipe import LARGE, RECIPES, Recipe
from services.diagnosis.ward.generate import iter_cases


@pytest.fixture(scope="module")
def large() -> ConsiliumNetwork:
    """Without a byte of weights."""
    with torch.device("meta"):
        return ConsiliumNetwork(LARGE.model)


def part(encoder: Encoder, name: str) -> int:
    return parameter_count(encoder.get_submodule(name))


def test_the_large_image_encoder_is_a_densenet_121(large: ConsiliumNetwork) -> None:
    # torchvision's `features` has 6,953,856 for three channels of input; one channel saves 2 * 64 * 49.
    assert part(large.encoder("image"), "backbone") == 6_953_856 - 2 * 64 * 49
    assert (LARGE.model.image.side, LARGE.model.image.grid) == (224, 7)


def test_the_large_note_encoder_is_a_bert_base(large: ConsiliumNetwork) -> None:
    # arXiv 1810.04805: 12 layers of 4 * 768 * 768 + 2 * 768 * 3072 weights with their biases and two layer norms.
    layer = 4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768
    note = large.encoder("note")
    assert part(note, "transformer.encoder") == 12 * layer == 85_054_464
    assert part(note, "transformer.embeddings") == (LARGE.model.note.vocab_size + LARGE.model.note.window + 2 + 2) * 768


def test_the_large_network_is_as_big_as_the_documentation_says(large: ConsiliumNetwork) -> None:
    counts = {name: round(parameter_count(large.encoder(name)) / 1e6, 1) for name in MODALITIES}
    assert counts == {"image": 8.0, "note": 92.4, "vitals": 1.7, "tabular": 0.9}
    assert round(parameter_count(large) / 1e6) == 131


def test_a_scaled_recipe_has_as_many_patients_as_asked() -> None:
    for recipe in (Recipe(), LARGE):
        for patients in (192, 500, 4000):
            scaled = recipe.scaled(patients=patients)
            assert scaled.train + scaled.calibration + scaled.test == patients
            assert min(scaled.train, scaled.calibration, scaled.test) >= 64
    assert [recipe.scaled() for recipe in RECIPES.values()] == list(RECIPES.values())


def test_a_short_run_costs_less_everywhere() -> None:
    short = LARGE.scaled(patients=192, epochs=0.01)
    assert (short.image_epochs, short.note_epochs, short.baseline_epochs, short.align_epochs) == (1, 1, 1, 1)
    assert short.notes_alone < short.train
    assert short.variants == short.fusion_epochs == 1
    assert short.train // short.batch_size == 4
    assert short.model == LARGE.model


SMALLEST = replace(
    LARGE.scaled(patients=192, epochs=0.01), train=32, calibration=32, test=16, notes_alone=0, batch_size=8
)
"""Every diagnosis is among the first 32 patients of seed 1 and among the next 32."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_large_recipe_goes_through_and_answers(tmp_path: Path) -> None:
    train_demo(tmp_path / "large", seed=1, recipe=SMALLEST, processes=1, quiet=True)
    assert verify_bundle(tmp_path / "large").identity.name == "consilium-large"
    ((case, _),) = iter_cases(1, 0, 1, side=512)
    prediction = Predictor.load(tmp_path / "large").predict(case)
    assert set(prediction.modalities) == set(MODALITIES)
