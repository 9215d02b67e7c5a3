"""`POST /vitals/stream` over a real socket: what comes is sent, once the client says where it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from services.vitals.app import create_app
from services.vitals.live.events import PAGE, sample_events
from services.vitals.settings import Settings
from shared.auth import Role
from tests.services.vitals.conftest import NDJSON, NOW, make_sample, runtime_of
from tests.support.common import TestBed
from tests.support.servers import serve

Events = Iterator[tuple[str | None, str, dict[str, Any]]]


@pytest.fixture
def http(bed: TestBed, any_database: str) -> Iterator[httpx.Client]:
    app = create_app(Settings(database_url=any_database), bed.common, clock=lambda: NOW)
    with serve(app) as address, httpx.Client(base_url=address, headers=bed.headers(), trust_env=False) as client:
        yield client


def put(http: httpx.Client, *samples: dict[str, Any]) -> None:
    body = "\n".join(json.dumps(sample) for sample in samples)
    assert http.post("/vitals/samples", content=body, headers=NDJSON).status_code == 200


@contextmanager
def listen(http: httpx.Client, last: str | None = None, patient: str = "P-1001") -> Iterator[Events]:
    headers = {} if last is None else {"Last-Event-ID": last}
    with http.stream("POST", "/vitals/stream", json={"patient": patient}, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Events:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield fields.get("id"), fields["event"], json.loads(fields["data"])
            fields = {}


def values(data: dict[str, Any]) -> list[float]:
    return [sample["value"] for sample in data["samples"]]


def test_samples_are_sent_as_they_come_and_of_this_patient_alone(http: httpx.Client) -> None:
    put(http, make_sample(value=60))
    with listen(http) as found:
        assert next(found)[1:] == ("ready", {})
        put(http, make_sample(value=61), make_sample(patient="P-2"))
        put(http, make_sample(value=61))  # a duplicate is nothing new
        put(http, make_sample(value=62, effective="2026-03-14T08:31:00Z"))
        assert [values(next(found)[2]) for _ in range(2)] == [[61], [62]]


def test_client_that_comes_back_is_sent_what_it_missed(http: httpx.Client) -> None:
    with listen(http) as found:
        next(found)
        put(http, make_sample(value=61))
        last, _, _ = next(found)
    for value in (62, 63):
        put(http, make_sample(value=value))
    with listen(http, last) as found:
        assert next(found)[0] == last
        assert [values(next(found)[2]) for _ in range(2)] == [[62], [63]]


def test_large_arrival_comes_in_pages_with_one_id_at_its_end(http: httpx.Client) -> None:
    many = [
        make_sample(value=40 + n / 100, effective=f"2026-03-14T0{n // 3600}:{n // 60 % 60:02}:{n % 60:02}Z")
        for n in range(2 * PAGE + 5)
    ]
    with listen(http) as found:
        next(found)
        put(http, *many)
        pages = [next(found) for _ in range(3)]
    assert [len(values(data)) for _, _, data in pages] == [PAGE, PAGE, 5]
    assert [last is None for last, _, _ in pages] == [True, True, False]
    assert [value for _, _, data in pages for value in values(data)] == [sample["value"] for sample in many]


def test_stream_ends_after_its_longest_time(client: TestClient) -> None:
    async def collect() -> list[bytes]:
        return [event async for event in sample_events(runtime_of(client), "P-1001", 7, longest_s=0.1)]

    assert asyncio.run(collect()) == [b"id: 7\nevent: ready\ndata: {}\n\n"]


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_other_roles_may_not_read_along(http: httpx.Client, bed: TestBed, role: Role) -> None:
    answer = http.post("/vitals/stream", json={"patient": "P-1001"}, headers=bed.headers(role))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "headers"),
    [({"patient": "a\x00"}, {}), ({}, {}), ({"patient": "P-1"}, {"Last-Event-ID": "x"})],
)
def test_bad_question_is_refused(http: httpx.Client, body: dict[str, str], headers: dict[str, str]) -> None:
    assert http.post("/vitals/stream", json=body, headers=headers).status_code == 422
