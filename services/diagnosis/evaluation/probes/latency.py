"""How long a case takes, alone and on one thread: the axis that a serving process sees."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from services.diagnosis.datasets.base import LabelledCase
from services.diagnosis.evaluation.subject import Subject

PERCENTILES = (50, 95, 99)
WARM_UP = 3


def measure_latency(
    subject: Subject,
    cases: Sequence[LabelledCase],
    *,
    warm_up: int = WARM_UP,
    clock: Callable[[], float] = time.perf_counter,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Milliseconds of `answer` (all subsets, no explanation) and `explain` (the whole result), batch of one.

    Args:
        warm_up: cases asked before, untimed.
        clock: seconds, for tests.
    Returns: `n`, `threads`, `platform`, and for `answer` and `explain`: `p50`, `p95`, `p99`, `mean`. The percentiles of
        a single run on whatever else the machine does: compare within one run.
    """
    threads = _one_thread()
    for case in cases[:warm_up]:
        subject.answer(case.inputs)
        subject.explain(case.inputs)
    spent: dict[str, list[float]] = {"answer": [], "explain": []}
    for case in cases:
        for name, ask in (("answer", subject.answer), ("explain", subject.explain)):
            started = clock()
            ask(case.inputs)
            spent[name].append((clock() - started) * 1000)
        advance()
    _restore(threads)
    return {"n": len(cases), "threads": 1, "platform": platform_of(), **{k: _percentiles(v) for k, v in spent.items()}}


def platform_of() -> str:
    """System, processor, how many cores this process may use, and the Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}"


def _percentiles(milliseconds: list[float]) -> dict[str, float]:
    if not milliseconds:
        return {}
    values = np.percentile(milliseconds, PERCENTILES)
    found = {f"p{q}": round(float(v), 3) for q, v in zip(PERCENTILES, values, strict=True)}
    return {**found, "mean": round(float(np.mean(milliseconds)), 3)}


def _one_thread() -> int:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    return before


def _restore(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
