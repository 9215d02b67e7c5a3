"""The slope by which growing memory is told from flat memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from scipy.stats import linregress

from tests.load.memory_slope import children_mib, slope_of

HOURS = np.arange(120) * 15 / 3600


def test_the_slope_is_that_of_least_squares() -> None:
    mib = 200 + 30 * HOURS + np.random.default_rng(0).normal(0, 2, len(HOURS))
    assert slope_of(HOURS, mib, 0).per_hour == pytest.approx(linregress(HOURS, mib).slope)


def test_an_exact_line_leaves_no_doubt() -> None:
    found = slope_of(HOURS, 200 + 30 * HOURS, 20)
    assert (found.low, found.per_hour, found.high) == pytest.approx((30, 30, 30))


def test_noise_that_stays_for_a_while_widens_the_interval() -> None:
    steps = np.repeat(np.random.default_rng(1).normal(0, 2, 12), 10)
    plain, kept = slope_of(HOURS, 200 + steps, 0), slope_of(HOURS, 200 + steps, 20)
    assert kept.high - kept.low > plain.high - plain.low


def test_in_most_runs_of_steady_noise_the_interval_holds_the_truth() -> None:
    chance = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        noise = np.repeat(chance.normal(0, 2, 24), 5)
        found = slope_of(HOURS, 200 + 5 * HOURS + noise, 20)
        held += found.low <= 5 <= found.high
    assert held / 200 > 0.8  # 95 % in the limit of long series


def test_two_samples_are_too_few() -> None:
    with pytest.raises(ValueError, match="three are needed"):
        slope_of([0, 1], [1, 2], 0)


CHILD = """
import mmap, sys
with open(sys.argv[1], "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)
memory.write(b"x" * len(memory))
print("ready", flush=True)
sys.stdin.read()
"""
PARENT = """
import subprocess, sys
children = [
    subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdin=sys.stdin, stdout=subprocess.PIPE) for _ in range(3)
]
for child in children:
    child.stdout.readline()
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_children_share_counts_once(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.write_bytes(bytes(200 * 2**20))
    command = [sys.executable, "-c", PARENT, CHILD, str(shared)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        own, together = children_mib(psutil.Process(parent.pid))
        assert parent.stdin is not None
        parent.stdin.close()
    assert 200 < together < 250
    assert 3 < own < 150
