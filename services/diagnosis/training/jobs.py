"""Independent parts of a run side by side: one forked process and one thread each, so that the cores are never shared.

Every part seeds itself and computes with one thread; the result is the same whatever the number of processes.
"""

from __future__ import annotations

import faulthandler
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from signal import Signals
from typing import Any

from services.diagnosis.training.loop.session import is_shared
from shared.errors import AppError

Advance = Callable[[], None]
Job = Callable[[Advance], Any]
STEP = "step"


class JobFailed(RuntimeError):
    """A part of a run ended with an error; the message names the error and the part."""


@dataclass(frozen=True)
class _Running:
    index: int
    process: Any
    receiver: Connection


def run_side_by_side(jobs: Sequence[Job], *, processes: int, on_step: Advance = lambda: None) -> list[Any]:
    """Run jobs, at most `processes` at a time, in the order given. Returns their results in that order.

    The caller must not have used more than one torch thread: a forked process cannot use its parent's thread pool.
    Where several processes of torchrun share every batch, the jobs run here, one after the other, on all of them.

    Raises: AppError: what has a name, as a job raised it. JobFailed: any other end of a job.
    """
    if is_shared():
        return [job(on_step) for job in jobs]
    waiting = list(enumerate(jobs))
    running: list[_Running] = []
    results: dict[int, Any] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                running.append(_start(*waiting.pop(0)))
            for receiver in wait([one.receiver for one in running]):
                one = next(r for r in running if r.receiver is receiver)
                kind, value = _next_message(one)
                if kind == STEP:
                    on_step()
                    continue
                one.process.join()
                one.receiver.close()
                running.remove(one)
                if kind == "named":
                    raise value
                if kind == "error":
                    raise JobFailed(f"part {one.index + 1} of {len(jobs)}: {value}")
                results[one.index] = value
    finally:
        for one in running:
            one.process.terminate()
    return [results[index] for index in range(len(jobs))]


def _start(index: int, job: Job) -> _Running:
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(job, sender), daemon=True)
    process.start()
    sender.close()
    return _Running(index, process, receiver)


def _next_message(one: _Running) -> tuple[str, Any]:
    try:
        message: tuple[str, Any] = one.receiver.recv()
    except EOFError:
        one.process.join()
        return "error", f"the process ended {_ending(one.process.exitcode)}"
    return message


def _ending(code: int | None) -> str:
    """How, in words: by which signal, where it was one."""
    if code is not None and code < 0:
        return f"by {Signals(-code).name}"
    return f"with exit code {code}"


def _work(job: Job, sender: Connection) -> None:
    import torch

    # By its number: `sys.stderr` may be a stand-in that a crash cannot write to.
    faulthandler.enable(2)
    torch.set_num_threads(1)
    try:
        result = job(lambda: sender.send((STEP, None)))
    except AppError as error:
        sender.send(("named", error))
    except Exception as error:
        sender.send(("error", f"{type(error).__name__}: {error}"))
    else:
        sender.send(("result", result))
    finally:
        sender.close()
