"""`consilium bench gpu` on the processor: the very code that a GPU runs. No figure is asserted, only what must hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from services.diagnosis.bench.cli import bench as commands
from services.diagnosis.bench.device import Bench
from services.diagnosis.bench.errors import BatchTooLarge
from services.diagnosis.bench.measure import measure
from services.diagnosis.bench.workload import Part, draw_inputs, parts_of
from services.diagnosis.model.config import ImageConfig, ModelConfig, NoteConfig
from services.diagnosis.model.modalities import MODALITIES
from services.diagnosis.model.network import ConsiliumNetwork

TINY = ModelConfig(image=ImageConfig(side=32), note=NoteConfig(window=32))
CPU = Bench.of("cpu", "32", 0.01)


def run(*words: str) -> Result:
    return CliRunner().invoke(commands, ["gpu", *words])


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_every_part_is_measured_in_both_modes(tmp_path: Path, precision: str) -> None:
    out = tmp_path / "bench.json"
    options = ("--recipe", "demo", "--device", "cpu", "--batch-size", "2", "--seconds", "0.02")
    result = run(*options, "--precision", precision, "--json", str(out))
    assert result.exit_code == 0, result.output
    told = json.loads(out.read_text())
    parts = [*MODALITIES, "fusion", "whole"]
    assert [(row["part"], row["mode"]) for row in told["rows"]] == [(p, m) for p in parts for m in ("train", "infer")]
    assert (told["kind"], told["precision"], told["recipe"], told["batchSize"]) == ("cpu", precision, "demo", 2)
    best = max(rate["teraflops_per_s"] for rate in told["matrices"])
    for row in told["rows"]:
        assert row["share"] == pytest.approx(row["flops"] / row["median_s"] / 1e12 / best)
        assert row["cases_per_s"] == pytest.approx(2 / row["median_s"])
        assert row["peak_bytes"] > 0
    assert all(name in result.stdout for name in (*parts, "TFLOP/s", "2048"))


def test_without_a_gpu_it_says_so_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for device in ("auto", "cuda"):
        result = run("--recipe", "demo", "--device", device)
        assert result.exit_code == 1
        assert result.stderr == ("No GPU: torch finds no GPU here; --device cpu measures the processor instead.\n")


@pytest.mark.parametrize("option", ["--recipe", "--device", "--precision"])
def test_an_unknown_choice_is_a_usage_error(option: str) -> None:
    assert run(option, "nonsense").exit_code == 2


def test_operations_are_counted_as_by_hand() -> None:
    # Of the tabular encoder forward: per fact two products, keys and values; queries with keys and with values; two
    # products for the tokens and two for the pooled vector.
    row = next(r for r in measure(CPU, TINY, 3, sizes=(8,)).rows if (r.part, r.mode) == ("tabular", "infer"))
    facts, hidden, dim, tokens = TINY.tabular.variables, TINY.tabular.hidden, TINY.dim, TINY.tokens
    per_fact = (dim + 1) * hidden + hidden * dim + dim * 2 * dim
    pooled = 2 * tokens * facts * dim + tokens * dim * dim + tokens * dim * dim + dim * dim
    assert row.flops == 2 * 3 * (facts * per_fact + pooled)


def test_a_step_back_costs_about_twice_the_step_forward() -> None:
    flops = {(row.part, row.mode): row.flops for row in measure(CPU, TINY, 2, sizes=(8,)).rows}
    for part in (*MODALITIES, "fusion", "whole"):
        assert 2 < flops[part, "train"] / flops[part, "infer"] <= 3


def test_training_reaches_every_weight_that_a_case_needs() -> None:
    network = ConsiliumNetwork(TINY)
    whole: Part = list(parts_of(network, draw_inputs(TINY, 2, torch.device("cpu"))))[-1]
    whole.forward().backward()  # type: ignore[no-untyped-call]
    untouched = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert not {name for name in untouched if "missing" not in name and "token_type" not in name}


def test_a_batch_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Bench, "time", full)
    monkeypatch.setattr("services.diagnosis.bench.measure.measure_matrices", lambda *_: [_Rate()])
    with pytest.raises(BatchTooLarge, match="image: a batch of 2"):
        measure(CPU, TINY, 2)


class _Rate:
    teraflops_per_s = 1.0
