"""A running suite, started as a user would: `consilium up` in a process of its own, on real sockets."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from services.suite.environment import DataDirectory
from services.suite.servers import port_is_free
from shared.auth import Role

T = TypeVar("T")
FINAL = {"succeeded", "abstained", "failed"}
READY_TIMEOUT_S = 180


@dataclass
class RunningSuite:
    """How a test talks to a suite."""

    address: str
    dimse_port: int
    mllp_port: int
    data: DataDirectory
    process: subprocess.Popen[bytes]
    topology: str
    _clients: dict[Role, httpx.Client] = field(default_factory=dict)

    def client(self, role: Role) -> httpx.Client:
        """An HTTP client with a token of one role."""
        if role not in self._clients:
            headers = {"Authorization": f"Bearer {self.data.issuer.mint(role)}"}
            self._clients[role] = httpx.Client(base_url=self.address, headers=headers, timeout=60, trust_env=False)
        return self._clients[role]

    def close(self) -> None:
        """Close the connections."""
        for http in self._clients.values():
            http.close()

    @property
    def clinician(self) -> httpx.Client:
        """A clinician's client."""
        return self.client(Role.CLINICIAN)

    @property
    def ehr(self) -> httpx.Client:
        """The hospital system's client."""
        return self.client(Role.EHR_SYSTEM)

    @property
    def auditor(self) -> httpx.Client:
        """A compliance auditor's client."""
        return self.client(Role.AUDITOR)

    def pids(self) -> dict[str, int]:
        """Process ids by program name, as the supervisor knows them."""
        listing: dict[str, int] = json.loads((self.data.root / "processes.json").read_text())
        return listing

    def kill(self, name: str) -> None:
        """SIGKILL the programs whose names begin so."""
        for program, pid in self.pids().items():
            if program.startswith(name):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def diagnose(self, patient: str, *, key: str | None = None, **body: Any) -> dict[str, Any]:
        """Ask for a diagnosis and wait for its end."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.clinician.post("/diagnoses", json={"patient": patient, **body}, headers=headers)
        assert answer.status_code == 202, answer.text
        return self.wait_for(answer.json()["id"])

    def wait_for(self, diagnosis_id: str, timeout_s: float = 90) -> dict[str, Any]:
        """Poll a diagnosis until it is final."""

        def final() -> dict[str, Any] | None:
            job: dict[str, Any] = self.clinician.get(f"/diagnoses/{diagnosis_id}").raise_for_status().json()
            return job if job["status"] in FINAL else None

        return until(final, timeout_s, f"diagnosis {diagnosis_id} to end")

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Return when `/readyz` says so."""

        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"the suite ended with {self.process.returncode}; see {self.data.logs}")
            try:
                return httpx.get(f"{self.address}/readyz", timeout=5, trust_env=False).status_code == 200
            except httpx.HTTPError:
                return False

        until(ready, timeout_s, "the suite to be ready")


def until(probe: Callable[[], T | None], timeout_s: float, what: str) -> T:
    """The first truthy answer of a probe. Raises: AssertionError: none came in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        if answer := probe():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s in vain for {what}")
        time.sleep(0.05)


@contextmanager
def running_suite(
    directory: Path,
    topology: str = "embedded",
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[RunningSuite]:
    """Start a suite in a directory, wait until it is ready, and stop it with SIGINT at the end.

    Args: port: the first of ten that are free, where somebody must know the suite's address before it starts.
    """
    port = port or free_port_block(10)
    dimse_port, mllp_port = port + 8, port + 9
    arguments = ["up", "--port", str(port), "--dimse-port", str(dimse_port), "--mllp-port", str(mllp_port)]
    arguments += ["--data-dir", str(directory), "--no-demo"]
    if topology == "distributed":
        arguments.append("--distributed")
    log = (directory.parent / f"{directory.name}-up.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "services.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(environment or {})},
    )
    suite = RunningSuite(f"http://127.0.0.1:{port}", dimse_port, mllp_port, DataDirectory(directory), process, topology)
    try:
        suite.wait_until_ready()
        yield suite
    finally:
        suite.close()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def free_port_block(count: int) -> int:
    """The first of `count` consecutive loopback ports that nobody listens on just now.

    They are below those that the system gives to connections (32768 on Linux), so that none of these takes one before a
    suite does; and test processes side by side look for theirs in different thousands.
    """
    begin = 12_000 + 2_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10)
    for _ in range(200):
        first = random.randrange(begin, begin + 2_000 - count)
        if all(port_is_free(first + n) for n in range(count)):
            return first
    raise RuntimeError(f"no {count} consecutive free ports")
