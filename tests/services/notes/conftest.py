"""A notes service on a database of its own, SQLite or PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.notes.app import create_app
from services.notes.settings import Settings
from shared.auth import Role
from shared.database import migrate
from shared.web import Runtime
from tests.support.common import TestBed

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
"""The time that the service's clock shows in these tests."""
NOTE = {
    "patient": "P-1001",
    "authored": "2026-03-14T08:30:00Z",
    "type": "34111-5",
    "text": "67-year-old with fever and productive cough. Denies chest pain.",
}


def make_note(**changed: Any) -> dict[str, Any]:
    """A good note, but for what is named here."""
    return {**NOTE, **changed}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_database(request: pytest.FixtureRequest, bed: TestBed) -> str:
    """The URL of an empty, migrated database: each test runs on both kinds."""
    if request.param == "sqlite":
        url = bed.sqlite("notes")
    else:
        empty = sa.engine.make_url(request.getfixturevalue("postgres_url"))
        in_schema = empty.update_query_dict({"options": "-csearch_path=notes"})
        url = in_schema.render_as_string(hide_password=False)
    migrate(url, "notes")
    return url


@pytest.fixture
def database(bed: TestBed) -> str:
    """The URL of an empty, migrated SQLite database."""
    url = bed.sqlite("notes")
    migrate(url, "notes")
    return url


ClientFactory = Callable[[str], TestClient]


@pytest.fixture
def start(bed: TestBed) -> Iterator[ClientFactory]:
    """Starts the service on a database; gives a client with a clinician's token."""
    clients: list[TestClient] = []

    def _start(url: str) -> TestClient:
        app = create_app(Settings(database_url=url, mllp_enabled=False), bed.common, clock=lambda: NOW)
        client = TestClient(app, headers=bed.headers(Role.CLINICIAN))
        client.__enter__()
        clients.append(client)
        return client

    yield _start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(start: ClientFactory, database: str) -> TestClient:
    """The service on SQLite, as a clinician."""
    return start(database)


@contextmanager
def listening(bed: TestBed, url: str, **settings: Any) -> Iterator[TestClient]:
    """The service with its MLLP listener on any free port, as a clinician."""
    app = create_app(Settings(database_url=url, mllp_port=0, **settings), bed.common, clock=lambda: NOW)
    with TestClient(app, headers=bed.headers(Role.CLINICIAN)) as client:
        yield client


def port_of(client: TestClient) -> int:
    """Where the service's MLLP listener is."""
    port: int = client.app.state.mllp_port  # type: ignore[attr-defined]  # an ASGI app by type, FastAPI by make
    return port


def notes_of(client: TestClient, patient: str = "P-1001") -> list[dict[str, Any]]:
    """A patient's notes with their texts, oldest first."""
    found = client.post("/notes/search", json={"patient": patient, "limit": 200}).raise_for_status().json()["items"]
    return [client.get(f"/notes/{item['id']}").json() for item in reversed(found)]


def runtime_of(client: TestClient) -> Runtime:
    """What the service works with."""
    runtime: Runtime = client.app.state.runtime  # type: ignore[attr-defined]  # an ASGI app by type, FastAPI by make
    return runtime


def events_of(client: TestClient) -> list[dict[str, Any]]:
    """The audit events that the service has written, oldest first."""
    with runtime_of(client).sessions() as session:
        return [json.loads(body) for body in session.scalars(sa.text("SELECT body FROM outbox ORDER BY seq"))]
