"""SIGKILL while messages flow: whatever was acknowledged is stored, and sending all of them again stores none twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from services.notes.app import create_app
from services.notes.settings import Settings
from services.suite.servers import free_port
from shared.auth import Role
from tests.services.notes.conftest import notes_of
from tests.services.notes.hl7_messages import mdm
from tests.support.common import PROJECT_ROOT, TestBed
from tests.support.mllp import peer, read_ack

MESSAGES = 60


@contextmanager
def process(bed: TestBed, url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The notes service as a process of its own, listening."""
    directory = bed.directory
    environment = {
        **os.environ,
        "CONSILIUM_CONSENT_AT_INGEST": "false",
        "CONSILIUM_NOTES_DATABASE_URL": url,
        "CONSILIUM_NOTES_MLLP_PORT": str(port),
        "CONSILIUM_AUTH_JWKS_FILE": str(bed.issuer.jwks_file),
        "CONSILIUM_SERVICE_TOKEN_FILE": str(directory / "service.token"),
        "CONSILIUM_PSEUDONYM_KEY_FILE": str(directory / "pseudonym.key"),
        "CONSILIUM_KEY_ENCRYPTION_KEY_FILE": str(directory / "key-encryption.key"),
        "CONSILIUM_KEYS_DATABASE_URL": bed.common.keys_database_url,
        "CONSILIUM_AUDIT_URL": "http://127.0.0.1:9",
        "CONSILIUM_BLOB_URL": f"file://{directory}/blobs",
    }
    command = [sys.executable, "-m", "uvicorn", "--factory", "services.suite.single:create_notes"]
    command += ["--port", str(free_port()), "--log-level", "warning"]
    with (directory / "notes.log").open("ab") as log:
        running = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_for(port, running, directory / "notes.log")
            yield running
        finally:
            running.kill()
            running.wait(20)


def wait_for(port: int, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with peer(port):
                return
        except OSError:
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


def message(number: int) -> str:
    return mdm(control_id=f"M-{number}", number=f"D-{number}", text=f"Note {number}.")


def stored(bed: TestBed, url: str) -> list[str]:
    app = create_app(Settings(database_url=url, mllp_enabled=False), bed.common)
    with TestClient(app, headers=bed.headers(Role.CLINICIAN)) as client:
        return [note["text"] for note in notes_of(client)]


@pytest.mark.parametrize("acknowledged", [1, 7, 23])
def test_nothing_acknowledged_is_lost_and_nothing_is_stored_twice(bed: TestBed, acknowledged: int) -> None:
    url, port = bed.sqlite("notes"), free_port()
    accepted: list[int] = []
    with process(bed, url, port) as running, peer(port) as other:
        other.send(*(message(number) for number in range(MESSAGES)))
        while (frame := other.receive()) is not None:
            ack = read_ack(frame)
            assert ack["MSA.F1"] == "AA"
            accepted.append(int(ack["MSA.F2"].removeprefix("M-")))
            if len(accepted) == acknowledged:
                running.kill()
    assert len(accepted) >= acknowledged
    assert {f"Note {number}." for number in accepted} <= set(stored(bed, url))
    with process(bed, url, port), peer(port) as other:
        codes = [other.ask(message(number))["MSA.F1"] for number in range(MESSAGES)]
    assert codes == ["AA"] * MESSAGES
    assert sorted(stored(bed, url)) == sorted(f"Note {number}." for number in range(MESSAGES))
