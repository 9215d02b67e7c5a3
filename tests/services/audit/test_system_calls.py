"""Fault 2: system calls on the log's files fail, or the process dies in one (strace injects both)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.services.audit.killed import audit_process, check_what_is_left, send_one_by_one
from tests.support.common import TestBed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (Debian: apt install strace)"),
]
CALLS = ["pwrite64", "fdatasync"]


@contextmanager
def injected(pid: int, database: Path, call: str, what: str) -> Iterator[Path]:
    """One kind of system call on the log's files fails meanwhile as `what` says; gives where each such call is told."""
    told = database.with_suffix(".strace")
    files = [flag for suffix in ("", "-wal", "-shm", "-journal") for flag in ("-P", f"{database}{suffix}")]
    command = ["strace", "-f", "-o", str(told), *files, "-e", f"trace={call}", "-e", f"inject={call}:{what}"]
    with subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE) as tracer:
        try:
            assert tracer.stderr is not None
            answer = tracer.stderr.readline()
            if b"attached" not in answer:
                pytest.skip(f"this machine does not let strace attach to a process: {answer.decode().strip()}")
            yield told
        finally:
            tracer.terminate()


@pytest.mark.parametrize("nth", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("call", CALLS)
def test_a_log_that_dies_in_a_system_call_keeps_what_it_acknowledged(bed: TestBed, call: str, nth: int) -> None:
    killing = f"signal=SIGKILL:when={nth}"
    with audit_process(bed) as (process, url), injected(process.pid, bed.directory / "audit.db", call, killing):
        sent = send_one_by_one(bed, url, 50)
        assert process.wait(timeout=20) == -9, "the call was never reached"
    check_what_is_left(bed, sent)


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("when", ["1+3", "2+5"])
def test_a_log_whose_system_calls_fail_keeps_what_it_acknowledged(
    bed: TestBed, call: str, when: str, error: str
) -> None:
    """Now and then, of many: it refuses what it cannot keep, goes on, and signs nothing that is not there."""
    with audit_process(bed) as (process, url):
        with injected(process.pid, bed.directory / "audit.db", call, f"error={error}:when={when}") as told:
            sent = send_one_by_one(bed, url, 30)
            assert told.read_text().count("(INJECTED)") > 1
        after = send_one_by_one(bed, url, 3)
        assert process.poll() is None
    assert len(after.acknowledged) == 3, "it goes on when the disk does"
    sent.events += after.events
    sent.acknowledged |= after.acknowledged
    check_what_is_left(bed, sent)
