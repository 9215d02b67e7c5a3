from __future__ import annotations

import json

from typer.testing import CliRunner

from services.diagnosis.bundle.cli import bundle
from services.diagnosis.bundle.location import DEMO_BUNDLE

CARD = json.loads((DEMO_BUNDLE / "model-card.json").read_text(encoding="utf-8"))


def test_the_weights_are_smaller_than_five_and_the_whole_bundle_than_six_megabytes() -> None:
    assert (DEMO_BUNDLE / "weights.safetensors").stat().st_size < 5_000_000
    assert sum(path.stat().st_size for path in DEMO_BUNDLE.iterdir()) < 6_000_000


def test_it_holds_no_code_and_no_pickle() -> None:
    assert {path.suffix for path in DEMO_BUNDLE.iterdir()} == {".json", ".md", ".safetensors"}


def test_the_card_warns_first() -> None:
    assert "Synthetic data, not for clinical use" in (DEMO_BUNDLE / "model-card.md").read_text().split("\n\n")[1]


def test_the_card_gives_measured_figures_with_intervals() -> None:
    full = CARD["metrics"]["patterns"]["image+note+vitals"]
    assert CARD["metrics"]["n"] >= 1000
    assert full["macroAuroc"]["low"] < full["macroAuroc"]["value"] < full["macroAuroc"]["high"]


def test_fusion_is_better_than_any_single_modality() -> None:
    patterns = CARD["metrics"]["patterns"]
    single = max(patterns[name]["macroAuroc"]["high"] for name in ("image", "note", "vitals"))
    assert patterns["image+note+vitals"]["macroAuroc"]["low"] > single


def test_no_model_beats_the_oracle() -> None:
    for pattern in CARD["metrics"]["patterns"].values():
        assert pattern["macroAuroc"]["low"] <= pattern["oracleMacroAuroc"]


def test_verify_says_ok_on_the_command_line() -> None:
    result = CliRunner().invoke(bundle, ["verify"])
    assert (result.exit_code, result.stdout.split()[0]) == (0, "ok:")


def test_inspect_shows_the_warning() -> None:
    assert "not for clinical use" in CliRunner().invoke(bundle, ["inspect"]).stdout


def test_verify_fails_where_there_is_no_bundle() -> None:
    assert CliRunner().invoke(bundle, ["verify", "/nonexistent"]).exit_code == 1
