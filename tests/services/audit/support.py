"""Starts the audit service as its users meet it, and makes events to send."""

from __future__ import annotations

import json
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
from tests.support.common import PROJECT_ROOT, TestBed

FULL_CARD: dict[str, Any] = json.loads(
    (PROJECT_ROOT / "services/diagnosis/bundles/demo/docs/model-card.json").read_text()
)
"""The shipped bundle's: it answers every source attribute."""
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


def _figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def evaluation_of(digest: str, **more: Any) -> dict[str, Any]:
    """An evaluation in which every group is served well."""
    groups = [("sex", "F"), ("sex", "M"), ("age", "80+")]
    plain = {
        "bundleDigest": digest,
        "dataset": "made up",
        "dataDigest": "sha256:" + "d" * 64,
        "reportDigest": "sha256:" + "e" * 64,
        "n": 400,
        "figures": {"macroAuroc": _figure(0.9), "brier": _figure(0.2)},
        "subgroups": [
            {"attribute": name, "group": group, "n": 100, "figures": {"macroAuroc": _figure(0.88)}}
            for name, group in groups
        ],
    }
    return {**plain, **more}


def signature_of(digest: str, result: str = "verified") -> dict[str, Any]:
    """What a worker tells of a signature."""
    return {"bundleDigest": digest, "keyId": "sha256:" + "c" * 64, "result": result}


def approve(audit: Audit, model: dict[str, Any], subject: str, role: Role = Role.ADMIN) -> Any:
    """A person's approval; gives the response."""
    body = {"bundleDigest": model["digest"], "name": f"Dr {subject}", "meaning": "approval"}
    headers = audit.bed.headers(role, subject)
    return audit.client.post(f"/models/{model['id']}/approvals", json=body, headers=headers)


def put_through(audit: Audit, model_id: str) -> None:
    """Hand in all that a bundle with a full card needs before it may answer."""
    model = audit.get(f"/models/{model_id}").json()
    for path, body in (
        ("signature", signature_of(model["digest"])),
        ("evaluations", evaluation_of(model["digest"])),
    ):
        assert audit.post(f"/models/{model_id}/{path}", body, Role.SERVICE).status_code == 201
    assert approve(audit, model, "head-of-radiology", Role.CLINICIAN).status_code == 201
    assert approve(audit, model, "head-of-it").status_code == 201


def lift_guards(connection: sa.Connection) -> None:
    """Do what an administrator does who wants to edit the log: the guards are the owner's to take away."""
    if connection.dialect.name == "sqlite":
        names = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in names:
            connection.execute(sa.text(f'DROP TRIGGER "{name}"'))
    else:
        connection.execute(sa.text("SET session_replication_role = replica"))
