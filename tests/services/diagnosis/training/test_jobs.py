"""Parts of a run side by side: results in order, the same for any number of processes, errors by name."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
import torch

from services.diagnosis.training.errors import EmptyClass
from services.diagnosis.training.jobs import Advance, JobFailed, run_side_by_side


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _draw(seed: int) -> Callable[[Advance], list[float]]:
    def job(advance: Advance) -> list[float]:
        torch.manual_seed(seed)
        advance()
        drawn: list[float] = torch.randn(3).tolist()
        return drawn

    return job


def test_results_come_in_order_whatever_the_number_of_processes() -> None:
    jobs = [_draw(seed) for seed in range(5)]
    assert run_side_by_side(jobs, processes=1) == run_side_by_side(jobs, processes=3)


def test_every_step_is_counted() -> None:
    steps: list[None] = []
    run_side_by_side([_draw(seed) for seed in range(4)], processes=2, on_step=lambda: steps.append(None))
    assert len(steps) == 4


def test_an_error_names_its_part() -> None:
    def fail(_: Advance) -> None:
        raise FloatingPointError("the loss is nan")

    with pytest.raises(JobFailed, match="part 2 of 2: FloatingPointError: the loss is nan"):
        run_side_by_side([_draw(0), fail], processes=2)


def test_a_named_error_of_training_keeps_its_name() -> None:
    def fail(_: Advance) -> None:
        raise EmptyClass("sepsis", "train", 3)

    with pytest.raises(EmptyClass, match="no case of sepsis"):
        run_side_by_side([fail], processes=1)


def test_a_killed_part_is_an_error() -> None:
    def die(_: Advance) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(JobFailed, match="ended by SIGKILL"):
        run_side_by_side([die], processes=1)
