"""A recipe that names a pretrained note encoder begins with its weights, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel
from typer.testing import CliRunner

from services.diagnosis.model.config import NoteConfig
from services.diagnosis.model.errors import EncoderFilesMissing
from services.diagnosis.model.network import ConsiliumNetwork
from services.diagnosis.training.recipe import Recipe
from services.diagnosis.training.text_start import adopt_files, begin_from_files
from services.diagnosis.training.vocabulary import train_tokenizer
from tests.services.diagnosis.training.test_cli import app


@pytest.fixture
def files(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    BertModel(
        BertConfig(
            vocab_size=90, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
            max_position_embeddings=300,
        )
    ).save_pretrained(tmp_path / "encoder")  # fmt: skip
    train_tokenizer(["fever and cough"] * 3, size=90).save(str(tmp_path / "encoder" / "tokenizer.json"))
    return tmp_path / "encoder"


def test_the_network_begins_with_the_weights_of_the_files(files: Path) -> None:
    named = replace(Recipe(), model=replace(Recipe().model, note=NoteConfig(pretrained=str(files))))
    recipe = adopt_files(named)
    network = ConsiliumNetwork(recipe.model)
    (origin,) = begin_from_files(network, recipe)
    place = "embeddings.word_embeddings.weight"
    words = network.encoder("note").get_parameter(f"transformer.{place}")
    expected = BertModel.from_pretrained(files).get_parameter(place)
    torch.testing.assert_close(words, expected)
    assert "sha256:" in origin.origin


def test_without_a_name_nothing_is_read() -> None:
    assert adopt_files(Recipe()) == Recipe()
    assert begin_from_files(ConsiliumNetwork(Recipe().model), Recipe()) == ()


def test_files_that_are_not_there_are_named_before_anything_is_drawn(tmp_path: Path) -> None:
    nowhere = replace(Recipe(), model=replace(Recipe().model, note=NoteConfig(pretrained=str(tmp_path / "none"))))
    with pytest.raises(EncoderFilesMissing):
        adopt_files(nowhere)
    options = ["--out", str(tmp_path / "b"), "--device", "cpu", "--note-encoder", str(tmp_path / "none")]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 1
    assert done.stderr.startswith("Encoder files missing")
