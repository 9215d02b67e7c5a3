"""The loop: resumes to the same bytes after a kill, averages weights, names what stops it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from services.diagnosis.training.errors import CheckpointUnusable, LossNotFinite, OutOfMemory, PrecisionUnavailable
from services.diagnosis.training.loop import Losses, Plan, Session, optimise
from services.diagnosis.training.loop.journal import read_journal
from tests.support.small_objective import SmallObjective

PLAN = Plan("small", epochs=3, batch_size=8, learning_rate=0.02, weight_decay=0.01, ema_share=0.2)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _train(session: Session = Session(), *, plan: Plan = PLAN, **options: Any) -> tuple[list[float], bytes]:
    """The history, and every weight as bytes."""
    objective = SmallObjective()
    history = optimise(objective, plan, session, seed=5, **options)
    return history, b"".join(value.numpy().tobytes() for value in objective.state_dict().values())


def _kill_at(step: int) -> Callable[[], None]:
    done: list[None] = []

    def on_step() -> None:
        done.append(None)
        if len(done) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return on_step


@pytest.mark.parametrize("step", [1, 7, 10, 15])
def test_a_killed_stage_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, step: int) -> None:
    whole = _train(Session(metrics=tmp_path / "whole", log_every=1))
    session = Session(work=tmp_path / "work", metrics=tmp_path / "killed", checkpoint_every_s=0, log_every=1)
    child = get_context("fork").Process(target=_train, args=(session,), kwargs={"on_step": _kill_at(step)})
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert _train(session) == whole
    assert read_journal(tmp_path / "killed" / "small") == read_journal(tmp_path / "whole" / "small")


def test_a_finished_stage_is_loaded_without_a_step(tmp_path: Path) -> None:
    session = Session(work=tmp_path)
    first = _train(session)
    steps: list[None] = []
    objective = SmallObjective(seed=99)
    history = optimise(objective, PLAN, session, seed=5, on_step=lambda: steps.append(None))
    assert objective.forwards == 0
    assert len(steps) == 15
    assert (history, b"".join(v.numpy().tobytes() for v in objective.state_dict().values())) == first


def test_checkpoints_and_metrics_do_not_change_the_result(tmp_path: Path) -> None:
    assert _train(Session(work=tmp_path, metrics=tmp_path / "m", checkpoint_every_s=0)) == _train()


def test_another_seed_gives_other_weights() -> None:
    objective = SmallObjective()
    optimise(objective, PLAN, seed=6)
    assert b"".join(value.numpy().tobytes() for value in objective.state_dict().values()) != _train()[1]


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 10])
def test_a_warm_up_of_any_length_works(epochs: int) -> None:
    assert len(optimise(SmallObjective(), Plan("small", epochs, 40, 0.01, 0.0, warm_up=0.25), seed=1)) == epochs


def test_the_loss_falls() -> None:
    history = optimise(SmallObjective(), Plan("small", 30, 8, 0.02, 0.0), seed=1)
    assert history[-1] < history[0] / 3


def test_the_result_is_the_average_of_the_weights() -> None:
    plan = Plan("small", epochs=1, batch_size=10, learning_rate=0.05, weight_decay=0.0, ema_share=0.5)
    objective, seen = SmallObjective(chance=False), []
    average = [p.detach().double().clone() for p in objective.parameters()]
    optimise(
        objective, plan, seed=1, on_step=lambda: seen.append([p.detach().double() for p in objective.parameters()])
    )
    for step, weights in enumerate(seen):
        decay = min(1 - 1 / (0.5 * 4), (1 + step) / (10 + step))  # mean age: 0.5 of four steps
        average = [decay * old + (1 - decay) * new for old, new in zip(average, weights, strict=True)]
    for own, expected in zip(objective.parameters(), average, strict=True):
        torch.testing.assert_close(own.detach().double(), expected, rtol=1e-5, atol=1e-7)


def test_without_averaging_the_last_weights_are_the_result() -> None:
    objective, seen = SmallObjective(), []
    optimise(
        objective,
        Plan("small", 1, 8, 0.02, 0.0),
        seed=1,
        on_step=lambda: seen.append([p.detach().clone() for p in objective.parameters()]),
    )
    assert all(torch.equal(own, last) for own, last in zip(objective.parameters(), seen[-1], strict=True))


def test_a_rate_that_explodes_is_named_with_its_stage_and_step() -> None:
    plan = Plan("small", epochs=3, batch_size=8, learning_rate=1e30, weight_decay=0.0)
    with pytest.raises(LossNotFinite, match=r"small: the (loss|gradient) of step \d+ is (nan|inf); the last finite"):
        optimise(SmallObjective(), plan, seed=1)


class _Huge(SmallObjective):
    def forward(self, rows: NDArray[np.int64], epoch: int, rng: torch.Generator) -> Losses:
        torch.empty(2**52)
        return super().forward(rows, epoch, rng)


def test_memory_that_the_processor_does_not_have_is_named() -> None:
    with pytest.raises(OutOfMemory, match=r"small: a batch of 8 does not fit .* cpu.*Halve the batch size"):
        optimise(_Huge(), PLAN, seed=1)


def test_memory_that_a_device_does_not_have_is_named() -> None:
    def hook(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")  # what torch raises; no device here can run out

    objective = SmallObjective()
    objective.network.register_forward_hook(hook)
    with pytest.raises(OutOfMemory, match="a batch of 8"):
        optimise(objective, PLAN, seed=1)


def test_half_precision_on_the_processor_is_refused_by_name() -> None:
    with pytest.raises(PrecisionUnavailable, match="16-mixed"):
        optimise(SmallObjective(), PLAN, Session(precision="16-mixed"), seed=1)


def test_mixed_precision_computes_in_bfloat16_and_keeps_single_weights() -> None:
    objective = SmallObjective()
    history = optimise(objective, Plan("small", 30, 8, 0.02, 0.0), Session(precision="bf16-mixed"), seed=1)
    assert objective.seen.dtype == torch.bfloat16
    assert {p.dtype for p in objective.parameters()} == {torch.float32}
    assert history[-1] < history[0] / 3


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "small.pt").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(CheckpointUnusable, match=r"small\.pt.*--fresh"):
        _train(Session(work=tmp_path))


def test_a_checkpoint_of_another_network_is_named(tmp_path: Path) -> None:
    _train(Session(work=tmp_path))
    other = SmallObjective()
    other.network[0] = torch.nn.Linear(4, 9)
    with pytest.raises(CheckpointUnusable, match="another network"):
        optimise(other, PLAN, Session(work=tmp_path), seed=5)
