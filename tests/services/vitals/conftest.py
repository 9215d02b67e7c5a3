"""A vitals service on a database of its own, SQLite or PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.vitals.app import create_app
from services.vitals.settings import Settings
from shared.auth import Role
from shared.database import migrate
from shared.web import Runtime
from tests.support.common import TestBed

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
"""The time that the service's clock shows in these tests."""
SAMPLE = {
    "patient": "P-1001",
    "code": "8867-4",
    "value": 71,
    "unit": "/min",
    "effective": "2026-03-14T08:30:00Z",
    "device": "watch-1",
}
NDJSON = {"Content-Type": "application/x-ndjson"}
Start = Callable[..., TestClient]


def make_sample(**changed: Any) -> dict[str, Any]:
    """A good sample, but for what is named here."""
    return {**SAMPLE, **changed}


def send(client: TestClient, samples: Iterable[Mapping[str, Any]], **more: Any) -> Any:
    """Send samples as NDJSON."""
    body = "".join(json.dumps(sample) + "\n" for sample in samples)
    return client.post("/vitals/samples", content=body, headers=NDJSON, **more)


def in_words(answer: Any) -> tuple[int, int, list[int]]:
    """Accepted, duplicates, and the lines rejected."""
    receipt = answer.json()
    return receipt["accepted"], receipt["duplicates"], [line["line"] for line in receipt["rejected"]]


def stored(client: TestClient, patient: str = "P-1001") -> list[dict[str, Any]]:
    """All samples of a patient, as the service gives them out."""
    question = {"patient": patient, "start": "1990-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"}
    samples: list[dict[str, Any]] = client.post("/vitals/search", json=question).json()["samples"]
    return samples


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_database(request: pytest.FixtureRequest, bed: TestBed) -> str:
    """The URL of an empty, migrated database: each test runs on both kinds."""
    if request.param == "sqlite":
        url = bed.sqlite("vitals")
    else:
        empty = sa.engine.make_url(request.getfixturevalue("postgres_url"))
        in_schema = empty.update_query_dict({"options": "-csearch_path=vitals"})
        url = in_schema.render_as_string(hide_password=False)
    migrate(url, "vitals")
    return url


@pytest.fixture
def database(bed: TestBed) -> str:
    """The URL of an empty, migrated SQLite database."""
    url = bed.sqlite("vitals")
    migrate(url, "vitals")
    return url


@pytest.fixture
def start(bed: TestBed) -> Iterator[Start]:
    """Starts the service on a database; gives a client with a clinician's token."""
    clients: list[TestClient] = []

    def _start(url: str, **settings: Any) -> TestClient:
        app = create_app(Settings(database_url=url, **settings), bed.common, clock=lambda: NOW)
        client = TestClient(app, headers=bed.headers(Role.CLINICIAN))
        client.__enter__()
        clients.append(client)
        return client

    yield _start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(start: Start, database: str) -> TestClient:
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
