from __future__ import annotations

import io
import json
import pickle
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.diagnosis.bundle.cli import bundle
from services.diagnosis.bundle.location import DEMO_BUNDLE
from services.diagnosis.bundle.source_attributes import attribute_ids
from services.diagnosis.bundle.trust import SHIPPED_KEYS
from services.diagnosis.bundle.verification import verify_bundle
from services.diagnosis.model.modalities import MODALITIES, PATTERNS

CARD = json.loads((DEMO_BUNDLE / "docs" / "model-card.json").read_text(encoding="utf-8"))
TEXT = (DEMO_BUNDLE / "docs" / "README.md").read_text(encoding="utf-8")
FILES = sorted(path.relative_to(DEMO_BUNDLE).as_posix() for path in DEMO_BUNDLE.rglob("*") if path.is_file())


def test_the_weights_are_smaller_than_eight_and_the_whole_bundle_than_fourteen_megabytes() -> None:
    assert (DEMO_BUNDLE / "models" / "weights.safetensors").stat().st_size < 8_000_000
    assert sum((DEMO_BUNDLE / file).stat().st_size for file in FILES) < 14_000_000


def test_it_is_signed_with_the_projects_key() -> None:
    assert verify_bundle(DEMO_BUNDLE).signer.name == "consilium-demo"
    assert (SHIPPED_KEYS / "consilium-demo.pem").is_file()


def test_it_is_laid_out_as_a_monai_bundle() -> None:
    # MONAI Bundle Specification, "Directory Structure"; no model.pt, which would be a pickle.
    assert {"LICENSE", "configs/metadata.json", "docs/README.md"} <= set(FILES)
    assert any(file.startswith("models/") for file in FILES)


def test_it_holds_only_kinds_of_file_that_are_data() -> None:
    assert {Path(file).suffix for file in FILES} == {".json", ".md", ".safetensors", ".sig", ""}
    assert [file for file in FILES if not Path(file).suffix] == ["LICENSE"]


@pytest.mark.parametrize("file", FILES)
def test_no_file_is_a_pickle(file: str) -> None:
    import torch

    content = (DEMO_BUNDLE / file).read_bytes()
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, nothing comes out
        pickle.loads(content)  # noqa: S301
    with pytest.raises(Exception):  # noqa: B017, PT011
        torch.load(io.BytesIO(content), weights_only=False)


def test_the_card_warns_first() -> None:
    assert "Synthetic data, not for clinical use" in TEXT.split("\n\n")[1]


def test_the_card_answers_all_31_source_attributes() -> None:
    answered = [item for category in CARD["sourceAttributes"]["categories"] for item in category["attributes"]]
    assert [item["id"] for item in answered] == list(attribute_ids())
    assert all(f"**{item['id']} {item['title']}**: {item['text']}" in TEXT for item in answered)


def test_the_card_claims_no_validation_by_others_and_no_outcomes() -> None:
    items = {i["id"]: i for category in CARD["sourceAttributes"]["categories"] for i in category["attributes"]}
    assert [items[name]["done"] for name in ("7.iii", "7.iv", "7.v", "8.ii", "8.iv")] == [False] * 5


def test_data_and_parts_have_digest_source_and_licence() -> None:
    assert all({"digest", "source", "licence"} <= set(data) for data in CARD["data"].values())
    assert all({"part", "origin", "licence"} == set(part) for part in CARD["parts"])


def test_the_card_gives_measured_figures_with_intervals() -> None:
    full = CARD["metrics"]["patterns"][PATTERNS[-1]]
    assert CARD["metrics"]["n"] >= 1000
    assert full["macroAuroc"]["low"] < full["macroAuroc"]["value"] < full["macroAuroc"]["high"]


def test_fusion_is_better_than_any_single_modality() -> None:
    patterns = CARD["metrics"]["patterns"]
    single = max(patterns[name]["macroAuroc"]["high"] for name in MODALITIES)
    assert patterns[PATTERNS[-1]]["macroAuroc"]["low"] > single


def test_no_model_beats_the_oracle() -> None:
    for pattern in CARD["metrics"]["patterns"].values():
        assert pattern["macroAuroc"]["low"] <= pattern["oracleMacroAuroc"]


def test_inspect_shows_the_warning() -> None:
    assert "not for clinical use" in CliRunner().invoke(bundle, ["inspect"]).stdout
