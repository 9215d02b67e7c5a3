"""Sends files to the door for imports and waits for what becomes of them."""

from __future__ import annotations

import time
from typing import Any

import httpx
from fastapi.testclient import TestClient

Sender = httpx.Client | TestClient


def send_file(client: Sender, content: bytes, name: str = "file", **fields: str) -> Any:
    """The answer to a form with a file."""
    return client.post("/vitals/imports", files={"file": (name, content)}, data=fields)


def outcome_of(client: Sender, location: str, within_s: float = 60) -> dict[str, Any]:
    """What an import has come to when it is over."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        progress: dict[str, Any] = client.get(location).json()
        if progress["state"] in ("succeeded", "failed"):
            return progress
        time.sleep(0.02)
    raise AssertionError(f"the import is still {progress}")


def import_file(client: Sender, content: bytes, **fields: str) -> dict[str, Any]:
    """Send a file and wait until it is worked off."""
    answer = send_file(client, content, **fields)
    assert answer.status_code in (200, 202), answer.text
    return outcome_of(client, answer.headers["location"])


def counts(read: int, accepted: int = 0, duplicates: int = 0, rejected: int = 0, ignored: int = 0) -> dict[str, int]:
    """Counts as the door tells them."""
    return {
        "read": read,
        "accepted": accepted,
        "duplicates": duplicates,
        "rejected": rejected,
        "ignored": ignored,
    }
