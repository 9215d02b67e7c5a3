"""Killed by SIGKILL at every step: what was acknowledged is in the log, once; what was not can be sent again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from services.audit.verify.notes import parse_key
from services.audit.verify.receipt import verify
from services.suite.servers import free_port
from shared.auth import Role
from shared.tlog.checkpoint import open_checkpoint
from shared.tlog.note import parse_verifier_key
from shared.tlog.tiles import decode_bundle
from tests.services.audit.support import ORIGIN, Audit, event, open_audit
from tests.shared.tlog import naive
from tests.support.common import TestBed

FAILPOINTS = ["after-enqueue", "after-leaves", "before-commit", "after-commit", "before-publish", "after-publish"]
PASSES = 3


def _environment(bed: TestBed, failpoint: str) -> dict[str, str]:
    return {
        **os.environ,
        "CONSILIUM_AUTH_JWKS_FILE": str(bed.issuer.jwks_file),
        "CONSILIUM_SERVICE_TOKEN_FILE": str(bed.directory / "service.token"),
        "CONSILIUM_PSEUDONYM_KEY_FILE": str(bed.directory / "pseudonym.key"),
        "CONSILIUM_KEY_ENCRYPTION_KEY_FILE": str(bed.directory / "key-encryption.key"),
        "CONSILIUM_KEYS_DATABASE_URL": bed.common.keys_database_url,
        "CONSILIUM_BLOB_URL": bed.common.blob_url,
        "CONSILIUM_AUDIT_DATABASE_URL": bed.sqlite("audit"),
        "CONSILIUM_AUDIT_SIGNING_KEY_FILE": str(bed.directory / "log.key"),
        "CONSILIUM_AUDIT_PUBLIC_KEY_FILE": str(bed.directory / "log.pub"),
        "CONSILIUM_AUDIT_ORIGIN": ORIGIN,
        "CONSILIUM_AUDIT_FAILPOINT": f"{failpoint}:{PASSES}",
    }


@contextmanager
def _process(bed: TestBed, failpoint: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service as a process of its own that will die at the failpoint."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "services.audit.app:create_app", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning"], env=_environment(bed, failpoint))
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(url, process)
        yield process, url
    finally:
        process.kill()
        process.wait(timeout=20)


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/healthz", timeout=5).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError("the audit service did not start")


def _send_until_it_dies(bed: TestBed, url: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Events sent one after another until one is not answered: all that were sent, and the places acknowledged."""
    sent: list[dict[str, Any]] = []
    acknowledged: dict[str, int] = {}
    with httpx.Client(base_url=url, headers=bed.headers(Role.SERVICE), timeout=30) as client:
        while len(sent) < 50:
            sent.append(event())
            try:
                answer = client.post("/internal/audit/events", json={"events": [sent[-1]]})
            except httpx.TransportError:
                break
            placed = answer.json()["sequenced"][0]
            acknowledged[placed["eventId"]] = placed["index"]
    return sent, acknowledged


def _leaves(audit: Audit) -> list[bytes]:
    note = audit.client.get("/audit/checkpoint").text
    checkpoint = open_checkpoint(note, ORIGIN, [parse_verifier_key(audit.vkey)])
    bundle = f"/audit/tile/entries/000.p/{checkpoint.size}"
    leaves = decode_bundle(audit.client.get(bundle).content) if checkpoint.size else []
    assert naive.mth(leaves) == checkpoint.root
    return leaves


def _placed(leaves: list[bytes]) -> dict[str, int]:
    return {json.loads(leaf)["event"]["eventId"]: index for index, leaf in enumerate(leaves)}


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_killed_log_keeps_every_acknowledged_event_exactly_once(bed: TestBed, failpoint: str) -> None:
    with _process(bed, failpoint) as (process, url):
        sent, acknowledged = _send_until_it_dies(bed, url)
        assert process.wait(timeout=20) == -9, "the failpoint was never reached"
    with open_audit(bed) as audit:
        assert acknowledged.items() <= _placed(_leaves(audit)).items(), "before anything is sent again"
        again = {placed["eventId"]: placed["index"] for placed in audit.append(*sent)}
        leaves = _leaves(audit)
        receipt = audit.get(f"/audit/entries/{len(leaves) - 1}/receipt").content
    assert acknowledged.items() <= again.items()
    assert sorted(again.values()) == list(range(len(sent))) == list(range(len(leaves)))
    assert verify(receipt, [parse_key(audit.vkey)]).entry == leaves[-1]
