"""A notes service on a database of its own, SQLite or PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
        app = create_app(Settings(database_url=url), bed.common, clock=lambda: NOW)
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


def runtime_of(client: TestClient) -> Runtime:
    """What the service works with."""
    runtime: Runtime = client.app.state.runtime  # type: ignore[attr-defined]  # an ASGI app by type, FastAPI by make
    return runtime


def events_of(client: TestClient) -> list[dict[str, Any]]:
    """The audit events that the service has written, oldest first."""
    with runtime_of(client).sessions() as session:
        return [json.loads(body) for body in session.scalars(sa.text("SELECT body FROM outbox ORDER BY seq"))]
