"""Starts the audit service as its users meet it, and makes events to send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.audit.app import create_app
from services.audit.settings import Settings
from shared.auth import Role
from shared.clock import Clock, utc_now
from shared.ids import uuid7
from tests.support.common import TestBed

ORIGIN = "hospital.example/log"


@dataclass(frozen=True)
class Audit:
    """A running service."""

    bed: TestBed
    app: FastAPI
    client: TestClient

    def append(self, *events: dict[str, Any]) -> list[dict[str, Any]]:
        """Send events as a service does; gives their places."""
        answer = self.client.post(
            "/internal/audit/events", json={"events": list(events)}, headers=self.bed.headers(Role.SERVICE)
        )
        assert answer.status_code == 200, answer.text
        sequenced: list[dict[str, Any]] = answer.json()["sequenced"]
        return sequenced

    def get(self, path: str, role: Role = Role.AUDITOR, **params: Any) -> Any:
        """GET as one role; gives the response."""
        return self.client.get(path, params=params, headers=self.bed.headers(role))

    def post(self, path: str, body: Any = None, role: Role = Role.CLINICIAN) -> Any:
        """POST as one role; gives the response."""
        return self.client.post(path, json=body, headers=self.bed.headers(role))

    @property
    def vkey(self) -> str:
        """The log's public key line."""
        return (self.bed.directory / "log.pub").read_text()


def settings_of(bed: TestBed, **more: Any) -> Settings:
    """Settings that keep everything in the bed's directory."""
    values = {
        "database_url": bed.sqlite("audit"),
        "signing_key_file": bed.directory / "log.key",
        "public_key_file": bed.directory / "log.pub",
        "origin": ORIGIN,
        "release_barrier": False,
    }
    return Settings(**{**values, **more})


@contextmanager
def open_audit(bed: TestBed, *, clock: Clock = utc_now, **settings: Any) -> Iterator[Audit]:
    """Run the service in a directory; run it again there and it goes on."""
    app = create_app(settings_of(bed, **settings), bed.common, clock=clock)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Audit(bed, app, client)


def event(**more: Any) -> dict[str, Any]:
    """An event as a producer sends it."""
    plain = {
        "eventId": uuid7(),
        "tenant": "default",
        "producer": "notes",
        "type": "read",
        "subtype": "note-read",
        "action": "R",
        "outcome": "success",
        "occurredAt": datetime.now(UTC).isoformat(),
        "actor": {"issuer": "consilium-dev", "subject": "demo-clinician", "role": "clinician"},
    }
    return {**plain, **more}


def lift_guards(connection: sa.Connection) -> None:
    """Do what an administrator does who wants to edit the log: the guards are the owner's to take away."""
    if connection.dialect.name == "sqlite":
        names = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in names:
            connection.execute(sa.text(f'DROP TRIGGER "{name}"'))
    else:
        connection.execute(sa.text("SET session_replication_role = replica"))
