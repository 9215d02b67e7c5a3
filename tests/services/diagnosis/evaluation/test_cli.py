"""`consilium evaluate` as a user meets it: numbers, page, card and exit codes of one small run, and its errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from services.diagnosis.evaluation.cli import evaluate
from services.diagnosis.model.modalities import MODALITIES, PATTERNS
from shared.codes import DIAGNOSES
from tests.services.diagnosis.datasets.tiny import write_stays

pytestmark = pytest.mark.slow  # whole evaluations of the shipped bundle

CODES = {code.code for code in DIAGNOSES}
EVERY = set(PATTERNS)
SMALL = ["--patients", "40", "--seed", "31", "--explain", "3", "--resamples", "100"]


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(evaluate)
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    files = [f"--{kind}={folder / name}" for kind, name in (("json", "m.json"), ("html", "m.html"), ("card", "m.md"))]
    code, output = run(*SMALL, *files)
    assert code == 0, output
    return folder


@pytest.fixture(scope="module")
def metrics(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "m.json").read_text("utf-8"))
    return loaded


def test_the_numbers_have_the_documented_shape(metrics: dict[str, Any]) -> None:
    assert (metrics["schema"], metrics["dataset"], metrics["seed"], metrics["n"]) == (
        "consilium-evaluation/1", "ward", 31, 40,
    )  # fmt: skip
    assert set(metrics["patterns"]) == EVERY
    for entry in metrics["patterns"].values():
        assert entry["macro_auroc"]["low"] <= entry["macro_auroc"]["value"] <= entry["macro_auroc"]["high"]
        assert 0.5 < entry["oracle_macro_auroc"] <= 1
        for name in ("accuracy", "brier", "ece", "aurc"):
            assert entry["intervals"][name]["low"] <= entry[name] <= entry["intervals"][name]["high"]
        assert {"target", "value", "min_cell", "max_gap", "max_gap_beyond_interval", "mean_set_size"} <= set(
            entry["coverage"]
        )
        assert set(entry["classes"]) == CODES
    assert {"heatmap_pointing_game", "span_f1", "window_iou", "deletion_beats_random"} <= set(metrics["explanations"])
    assert {"auroc", "fpr95"} <= set(metrics["ood"]["image"])
    assert sum(metrics["shapley_share"].values()) == pytest.approx(1)
    assert set(metrics["subgroups"]) >= {"sex", "age", "site", "skin"}


def test_every_baseline_is_judged_by_the_same_figures(metrics: dict[str, Any]) -> None:
    names = {
        "image-alone", "note-alone", "vitals-alone", "early-concatenation", "late-average", "logistic-stacking",
        "zero-imputation", "lstm-medfuse", "gate-drfuse",
    }  # fmt: skip
    assert names <= set(metrics["baselines"])
    full = "+".join(MODALITIES)
    ours = set(metrics["patterns"][full])
    for name in names:
        assert set(metrics["baselines"][name]["patterns"][full]) == ours
    assert set(metrics["baselines"]["note-alone"]["patterns"]) == {p for p in PATTERNS if "note" in p}
    assert {"fused_over_best_single", "hybrid_over_best_fusion"} <= set(metrics["gains"])


def test_what_a_lost_modality_costs_stands_beside_what_it_costs_the_oracle(metrics: dict[str, Any]) -> None:
    ours, oracle = (metrics["robustness"][f"{name}against_zero_imputation"] for name in ("", "oracle_"))
    assert set(ours) == set(oracle) == set(MODALITIES)
    for name in ("image", "note", "vitals"):
        assert ours[name]["baseline_drop"] == oracle[name]["baseline_drop"]
        assert ours[name]["drop"] != oracle[name]["drop"] > 0


def test_every_check_says_what_was_seen(metrics: dict[str, Any]) -> None:
    assert len({check["name"] for check in metrics["checks"]}) >= 14
    assert all(re.search(r"\d", check["detail"]) or "oracle" in check["detail"] for check in metrics["checks"])


def test_the_page_fetches_nothing_and_shows_the_numbers(folder: Path, metrics: dict[str, Any]) -> None:
    page = (folder / "m.html").read_text("utf-8")
    assert not re.search(r'(?:src|href|url)\s*[=(]\s*["\']?(?:https?:)?//', page.replace('href="http://www.w3.org', ""))
    assert page.count('<svg role="img" aria-label=') >= 8
    assert "Synthetic data, not for clinical use" in page
    assert f"{metrics['patterns']['image']['macro_auroc']['value']:.3f}" in page
    assert len(re.findall(r'<section class="case">', page)) == 3


def test_the_card_begins_with_what_failed(folder: Path, metrics: dict[str, Any]) -> None:
    card = (folder / "m.md").read_text("utf-8")
    failed = [check for check in metrics["checks"] if not check["passed"]]
    for check in failed:
        assert card.index(check["detail"]) < card.index("| modalities |")
    assert f"{metrics['patterns']['vitals']['macro_auroc']['value']:.3f} [" in card


def test_the_same_command_gives_the_same_numbers(folder: Path, metrics: dict[str, Any], tmp_path: Path) -> None:
    code, output = run(*SMALL, "--explain=0", "--processes=1", f"--json={tmp_path / 'again.json'}")
    assert code == 0, output
    again = json.loads((tmp_path / "again.json").read_text("utf-8"))
    assert again["patterns"] == metrics["patterns"]
    assert again["baselines"] == metrics["baselines"]


def test_a_failed_check_can_fail_the_command() -> None:
    code, output = run("--patients=30", "--explain=0", "--resamples=100", "--no-baselines", "--strict")
    assert "FAILED" in output
    assert code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dataset=nonesuch"], "There is no dataset of this name"),
        (["--dataset=cxr-cohort"], "--path"),
        (["--dataset=cxr-cohort", "--path=/nonexistent"], "no such folder"),
        (["--shift=nonesuch"], "new-scanner"),
        (["--task=nonesuch"], "diagnosis, deterioration24h"),
        (["--option=seed"], "KEY=VALUE"),
        (["--bundle=/nonexistent"], "no model bundle in 'nonexistent'"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_a_sentence(arguments: list[str], said: str) -> None:
    code, output = run(*arguments)
    assert code != 0
    assert said in " ".join(output.split())
    assert "Traceback" not in output


def test_a_cohort_with_vitals_age_and_sex_is_judged_with_baselines_of_its_own(tmp_path: Path) -> None:
    stays = write_stays(tmp_path / "set", range(101, 161))
    code, output = run(
        "--dataset=physionet-2012", f"--path={stays}", "--explain=4", "--resamples=100",
        f"--json={tmp_path / 'm.json'}", f"--html={tmp_path / 'm.html'}",
    )  # fmt: skip
    assert code == 0, output
    metrics = json.loads((tmp_path / "m.json").read_text("utf-8"))
    assert metrics["task"] == "in_hospital_death"
    assert set(metrics["patterns"]) == {"vitals", "tabular", "vitals+tabular"}
    assert set(metrics["baselines"]) == {"vitals-alone", "gradient-boosting", "logistic-regression"}
    assert "no clinical claim" in (tmp_path / "m.html").read_text("utf-8")
