"""Work over processes: in order, and gone with whoever asked for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil

from services.diagnosis.ward.parallel import in_order

PARENT = """
import time
from services.diagnosis.ward.parallel import in_order

if __name__ == "__main__":
    for _ in in_order(time.sleep, [0, 0, 600, 600], 2):
        print("one", flush=True)
"""


def test_results_come_in_the_order_of_the_items_whatever_the_processes() -> None:
    assert list(in_order(abs, range(-9, 0), 2)) == list(in_order(abs, range(-9, 0), 1)) == list(range(9, 0, -1))


def test_a_killed_parent_leaves_no_process_behind() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()}
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"one\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        parent.send_signal(signal.SIGKILL)
    assert len(children) >= 2
    deadline = time.monotonic() + 30
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < deadline, "a process outlived its parent"
        time.sleep(0.1)
