"""Starts the suite's processes, watches them, restarts what dies, and takes all of them down together."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded before any fork
STOP_TIMEOUT_S = 15.0
RESTART_PAUSE_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_AFTER_S = 60.0


@dataclass(frozen=True)
class Program:
    """One process to keep running."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path


@dataclass
class _Running:
    program: Program
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    started: float
    deaths: int = 0
    restart_at: float | None = None


class Supervisor:
    """Keeps programs running until `stop`. What dies is started again, ever more slowly while it keeps dying."""

    def __init__(self, process_file: Path | None = None) -> None:
        """Args: process_file: kept up to date with the process ids by name (JSON), for benchmarks and for the
        curious."""
        self._process_file = process_file
        self._running: list[_Running] = []
        self._lock = threading.Lock()
        self._stopping = False
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()

    def start(self, program: Program) -> None:
        """Start a program and keep it running."""
        program.log.parent.mkdir(parents=True, exist_ok=True)
        log = program.log.open("ab")
        with self._lock:
            self._running.append(_Running(program, _spawn(program, log), log, time.monotonic()))
            self._write_process_file()

    def troubled(self) -> list[str]:
        """Programs that have died at least twice since they last ran steadily."""
        with self._lock:
            return [r.program.name for r in self._running if r.deaths >= 2]

    def stop(self) -> None:
        """Ask all to end, in the reverse order of their start, and end by force what does not within 15 s."""
        with self._lock:
            self._stopping = True
            for running in reversed(self._running):
                _signal(running.process, signal.SIGTERM)
                _wait_or_kill(running.process)
                running.log.close()
            self._running.clear()

    def _watch(self) -> None:
        while not self._stopping:
            time.sleep(0.1)
            with self._lock:
                for running in self._running if not self._stopping else ():
                    self._tend(running)

    def _tend(self, running: _Running) -> None:
        now = time.monotonic()
        if running.process.poll() is None:
            if running.deaths and now - running.started > STEADY_AFTER_S:
                running.deaths = 0
        elif running.restart_at is None:
            running.restart_at = now + RESTART_PAUSE_S[min(running.deaths, len(RESTART_PAUSE_S) - 1)]
            running.deaths += 1
        elif now >= running.restart_at:
            running.process = _spawn(running.program, running.log)
            running.started, running.restart_at = now, None
            self._write_process_file()

    def _write_process_file(self) -> None:
        if self._process_file is not None:
            listing = {r.program.name: r.process.pid for r in self._running}
            temporary = self._process_file.with_suffix(".new")
            temporary.write_text(json.dumps(listing))
            temporary.replace(self._process_file)


def _spawn(program: Program, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(program.argv),
        env={**os.environ, **program.environment},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # Ctrl-C reaches the terminal's foreground group: only the supervisor shall hear it, and stop the rest in order.
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # no threads hold locks it needs
    )


def _die_with_parent() -> None:
    """Linux: the kernel ends this process when its parent is gone, even after SIGKILL."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
