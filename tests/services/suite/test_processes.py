"""The supervisor: restarts what dies, stops everything, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from services.suite.environment import DataDirectory, DirectoryInUse
from services.suite.processes import Program, Supervisor
from tests.support.suite import until

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]


def _program(tmp_path: Path, name: str = "sleeper", argv: list[str] | None = None) -> Program:
    return Program(name, argv or SLEEPER, {}, tmp_path / f"{name}.log")


def _pid(process_file: Path, name: str = "sleeper") -> int:
    import json

    return int(json.loads(process_file.read_text())[name])


def test_what_is_killed_is_started_again(tmp_path: Path) -> None:
    process_file = tmp_path / "p.json"
    supervisor = Supervisor(process_file)
    supervisor.start(_program(tmp_path))
    first = _pid(process_file)
    os.kill(first, signal.SIGKILL)
    second = until(lambda: _pid(process_file) if _pid(process_file) != first else None, 10, "a restart")
    assert psutil.pid_exists(second)
    supervisor.stop()


def test_stop_ends_all(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path / "p.json")
    supervisor.start(_program(tmp_path))
    pid = _pid(tmp_path / "p.json")
    supervisor.stop()
    assert not psutil.pid_exists(pid)


def test_what_keeps_dying_is_reported(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.start(_program(tmp_path, "dying", [sys.executable, "-c", "raise SystemExit(3)"]))
    assert until(supervisor.troubled, 20, "trouble") == ["dying"]
    supervisor.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from services.suite.processes import Program, Supervisor\n"
        f"s = Supervisor(Path({str(tmp_path / 'p.json')!r}))\n"
        f"s.start(Program('sleeper', {SLEEPER!r}, {{}}, Path({str(tmp_path / 's.log')!r})))\n"
        "print('started', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        child = _pid(tmp_path / "p.json")
        until(lambda: (tmp_path / "s.log").read_text().startswith("up") or None, 10, "the child to run")
        parent.kill()
        parent.wait()
        until(lambda: not psutil.pid_exists(child) or None, 10, "the child to end")


def test_a_directory_serves_one_suite_at_a_time(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    with data.lock(), pytest.raises(DirectoryInUse, match="--data-dir"):
        data.lock()
    data.lock().close()


def test_secrets_survive_a_restart(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.prepare()
    before = {p.name: p.read_bytes() for p in data.secrets.iterdir() if p != data.service_token}
    data.prepare()
    after = {p.name: p.read_bytes() for p in data.secrets.iterdir() if p != data.service_token}
    assert before == after
    assert all(p.stat().st_mode & 0o077 == 0 for p in data.secrets.glob("*.key"))
