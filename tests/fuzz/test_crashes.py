"""SIGKILL and a full disk while evidence comes in by every door: nothing that was acknowledged is lost."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.traffic import Traffic, find_lost
from tests.support.suite import running_suite, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    # pynetdicom's sender raises in a thread of its own where nobody listens; our own threads tell in `refused`.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SEED = 11
KILLS = 6
ROOM_MB = 400
"""Of the small disk: what a suite needs to start, and a little more."""


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """pynetdicom leaves sockets of broken associations to the collector: it comes while their warnings are muted."""
    yield
    gc.collect()


def test_killed_again_and_again_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with running_suite(tmp_path / "data") as suite:
        with Traffic(suite, tmp_path) as traffic:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.5, 3.0))
                suite.kill("web")
                suite.wait_until_ready()
        assert traffic.refused == []
        assert all(traffic.acknowledged.values()), traffic.said
        assert find_lost(suite, traffic.acknowledged) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room; skips where none can be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    size = f"size={ROOM_MB}m,mode=0755"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_on_a_full_disk_senders_are_told_to_come_back_and_nothing_is_lost(small_disk: Path, tmp_path: Path) -> None:
    with running_suite(small_disk / "data") as suite:
        with Traffic(suite, tmp_path) as traffic:
            until(lambda: all(traffic.acknowledged.values()), 60, "every door to take something")
            for _ in range(2):
                _fill(small_disk)
                _await_refusals(traffic)
                (small_disk / "filler").unlink()
                _await_acknowledgements(traffic)
        assert traffic.refused == []
        assert find_lost(suite, traffic.acknowledged) == []
        suite.wait_until_ready()
        assert suite.auditor.get("/audit/checkpoint").status_code == 200


def _await_refusals(traffic: Traffic) -> None:
    before = sum(traffic.said.values())
    until(lambda: sum(traffic.said.values()) >= before + 20, 120, "senders to be turned away")


def _await_acknowledgements(traffic: Traffic) -> None:
    before = {door: len(keys) for door, keys in traffic.acknowledged.items()}
    more = traffic.acknowledged.items
    until(lambda: all(len(keys) > before[door] for door, keys in more()), 120, "every door to take again")


def _fill(disk: Path) -> None:
    """Leave no room at all, byte by byte at the end."""
    with (disk / "filler").open("ab", buffering=0) as filler:
        for size in (2**20, 4096, 1):
            try:
                while True:
                    filler.write(bytes(size))
            except OSError:
                continue
