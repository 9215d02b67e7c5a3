"""A certified OIDC server (npm's `oidc-provider`) in a process of its own: what the page signs in at."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from services.review.build_ui import find_node
from services.review.settings import UI
from tests.support.suite import until

SCRIPT = Path(__file__).with_suffix(".mjs")
LIBRARY = UI / "node_modules" / "oidc-provider" / "lib" / "index.js"
PASSWORD = "correct horse battery staple"
PEOPLE = {"grace": "clinician", "linus": "admin"}
ACCESS_TOKEN_S = 8
"""Short, so that a test sees a renewal: at half of it."""


@dataclass(frozen=True)
class HospitalServer:
    """A running server and what it has done."""

    issuer: str
    process: subprocess.Popen[bytes]
    log: Path

    def count(self, **said: str) -> int:
        """How often it said this, such as `grant="refresh_token"` or `path="/token"`."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return sum(said.items() <= line.items() for line in lines)

    def stop(self) -> None:
        """From now on nobody answers there."""
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def hospital_server(port: int, page: str, log: Path) -> Iterator[HospitalServer]:
    """Start it for a page at that origin; skips where the page's development packages are not installed."""
    if not LIBRARY.is_file():
        pytest.skip("needs the page's packages; run `make ui`")
    told = {
        "library": str(LIBRARY),
        "port": port,
        "page": page,
        "people": PEOPLE,
        "password": PASSWORD,
        "accessTokenS": ACCESS_TOKEN_S,
    }
    with log.open("wb") as out:
        process = subprocess.Popen([find_node(), SCRIPT, json.dumps(told)], stdout=out, stderr=subprocess.STDOUT)
    server = HospitalServer(f"http://127.0.0.1:{port}", process, log)
    try:
        until(lambda: _answers(server), 60, "the OIDC server to answer")
        yield server
    finally:
        server.stop()


def _answers(server: HospitalServer) -> bool:
    if server.process.poll() is not None:
        raise AssertionError(f"the OIDC server ended: {server.log.read_text()}")
    try:
        return httpx.get(f"{server.issuer}/.well-known/openid-configuration", trust_env=False).is_success
    except httpx.TransportError:
        return False
