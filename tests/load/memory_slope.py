"""Resident memory of a suite's processes, and how fast a series of it rises."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import psutil
from numpy.typing import ArrayLike

from tests.support.suite import RunningSuite

MIB = 2.0**20


@dataclass(frozen=True)
class Slope:
    """Least squares through a series: MiB an hour with a 95 % interval."""

    per_hour: float
    low: float
    high: float


def resident_mib(suite: RunningSuite) -> dict[str, float]:
    """MiB by program (`web`, `worker-1`, …), of what it started beside it (`web, children`, and `web, shared by
    children`), and `all`.
    """
    found: dict[str, float] = {}
    for name, pid in {**suite.pids(), **_postgres(suite), "consilium up": suite.process.pid}.items():
        try:
            process = psutil.Process(pid)
            found[name] = process.memory_info().rss / MIB
            # The supervisor's children are the programs themselves.
            if name != "consilium up" and any(children := children_mib(process)):
                found[f"{name}, children"], found[f"{name}, shared by children"] = children
        except psutil.NoSuchProcess:
            continue
    return {**found, "all": sum(found.values())}


def _postgres(suite: RunningSuite) -> dict[str, int]:
    # Not one of the supervisor's programs: its own file says which process it is.
    found = next(suite.data.root.rglob("postmaster.pid"), None)
    return {} if found is None else {"postgres": int(found.read_text().split()[0])}


def children_mib(process: psutil.Process) -> tuple[float, float]:
    """MiB that all which a process has started have of their own, and that they share: files, and PostgreSQL's buffers,
    which fill for hours. What is shared counts once, as much as the one of them that has touched most.
    """
    own, shared = 0, 0
    for child in process.children(recursive=True):
        try:
            memory = child.memory_info()
        except psutil.NoSuchProcess:
            continue
        own, shared = own + memory.rss - memory.shared, max(shared, memory.shared)
    return own / MIB, shared / MIB


def slope_of(hours: ArrayLike, mib: ArrayLike, lags: int) -> Slope:
    """Least squares with the standard error of Newey and West (Econometrica 55:703, 1987).

    Memory rises in steps and stays: neighbouring residuals are alike, and the plain standard error would be too small.

    Args:
        lags: of how many samples before and after a sample are taken to be alike with it.
    Raises: ValueError: fewer than three samples.
    """
    x, y = np.asarray(hours, np.float64), np.asarray(mib, np.float64)
    if len(x) < 3:
        raise ValueError(f"{len(x)} samples have no slope with an interval; three are needed")
    x = x - x.mean()
    per_hour = float(x @ y / (x @ x))
    score = x * (y - y.mean() - per_hour * x)
    variance = score @ score
    for lag in range(1, min(lags, len(x) - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (score[lag:] @ score[:-lag])
    margin = 1.96 * math.sqrt(max(float(variance), 0.0)) / float(x @ x)
    return Slope(per_hour, per_hour - margin, per_hour + margin)
