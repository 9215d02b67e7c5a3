"""The audit service as a process of its own, to be killed or have its system calls fail, and what it left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.audit.verify import main
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


@dataclass
class Sent:
    """Events that were sent one after another, and the places that were acknowledged, by event id."""

    events: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)


@contextmanager
def audit_process(bed: TestBed, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The service, started on what the bed's directory holds, and its address. It is killed at the end."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "services.audit.app:create_app", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning"], env=_environment(bed) | environment)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(url, process)
        yield process, url
    finally:
        process.kill()
        process.wait(timeout=20)


def _environment(bed: TestBed) -> dict[str, str]:
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
    }


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/healthz", timeout=5).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError("the audit service did not start")


def send_one_by_one(bed: TestBed, url: str, count: int) -> Sent:
    """Send events until all are sent or the service is gone. An event that is refused is not acknowledged."""
    sent = Sent()
    with httpx.Client(base_url=url, headers=bed.headers(Role.SERVICE), timeout=30) as client:
        while len(sent.events) < count:
            sent.events.append(event())
            try:
                answer = client.post("/internal/audit/events", json={"events": [sent.events[-1]]})
            except httpx.TransportError:
                break
            if answer.status_code == 200:
                placed = answer.json()["sequenced"][0]
                sent.acknowledged[placed["eventId"]] = placed["index"]
    return sent


def check_what_is_left(bed: TestBed, sent: Sent) -> None:
    """Started again: a sound tree with every acknowledged event where it was said to be, and the others can be sent."""
    with open_audit(bed) as audit:
        left = {json.loads(leaf)["event"]["eventId"]: index for index, leaf in enumerate(_leaves(audit))}
        assert sent.acknowledged.items() <= left.items(), "before anything is sent again"
        again = {placed["eventId"]: placed["index"] for placed in audit.append(*sent.events)}
        leaves = _leaves(audit)
        receipt = audit.get(f"/audit/entries/{len(leaves) - 1}/receipt").content
    assert sent.acknowledged.items() <= again.items()
    assert sorted(again.values()) == list(range(len(sent.events))) == list(range(len(leaves)))
    assert verify(receipt, [parse_key(audit.vkey)]).entry == leaves[-1]
    assert main(["log", str(bed.directory / "audit.db"), "--key", audit.vkey.strip()]) == 0


def _leaves(audit: Audit) -> list[bytes]:
    note = audit.client.get("/audit/checkpoint").text
    checkpoint = open_checkpoint(note, ORIGIN, [parse_verifier_key(audit.vkey)])
    bundle = f"/audit/tile/entries/000.p/{checkpoint.size}"
    leaves = decode_bundle(audit.client.get(bundle).content) if checkpoint.size else []
    assert naive.mth(leaves) == checkpoint.root
    return leaves
