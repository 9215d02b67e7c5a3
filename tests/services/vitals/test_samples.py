"""`POST /vitals/samples`: what goes in is stored once, in its canonical unit, and durable when it is answered."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.vitals.app import create_app
from services.vitals.settings import Settings
from shared.auth import Role
from tests.services.vitals.conftest import (
    NDJSON,
    NOW,
    SAMPLE,
    Start,
    events_of,
    in_words,
    make_sample,
    runtime_of,
    send,
    stored,
)
from tests.support.common import TestBed
from tests.support.servers import serve


def test_samples_go_in_and_come_out(start: Start, any_database: str) -> None:
    client = start(any_database)
    times = [f"2026-03-14T08:3{minute}:00.25+01:00" for minute in range(5)]
    answer = send(client, [make_sample(effective=time, value=70 + n) for n, time in enumerate(times)])
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"accepted": 5, "duplicates": 0, "rejected": [], "rejectedCount": 0}
    assert stored(client) == [
        {**_without("patient"), "effective": f"2026-03-14T07:3{n}:00.250000Z", "value": 70.0 + n, **AS_SENT}
        for n in range(5)
    ]


AS_SENT: dict[str, Any] = {"flags": [], "deviceTime": None, "zoneMinutes": 60}


def _without(field: str) -> dict[str, Any]:
    return {name: value for name, value in SAMPLE.items() if name != field}


def test_bad_lines_are_rejected_and_good_ones_stored(start: Start, any_database: str) -> None:
    client = start(any_database)
    lines = [
        json.dumps(SAMPLE),
        "{not json",
        "",
        json.dumps(make_sample(code="8310-5", unit="Cel", value=39.2)),
        json.dumps(make_sample(unit="mm[Hg]")),
    ]
    answer = client.post("/vitals/samples", content="\n".join(lines), headers=NDJSON)
    assert answer.status_code == 200
    assert in_words(answer) == (2, 0, [2, 5])
    assert [line["field"] for line in answer.json()["rejected"]] == ["line", "unit"]
    assert [sample["code"] for sample in stored(client)] == ["8310-5", "8867-4"]


def test_same_body_again_stores_nothing_and_writes_no_event(start: Start, any_database: str) -> None:
    client = start(any_database)
    samples = [make_sample(value=value) for value in (70, 71, 72)]
    assert in_words(send(client, samples)) == (3, 0, [])
    assert in_words(send(client, samples)) == (0, 3, [])
    assert len(stored(client)) == 3
    assert [event["subtype"] for event in events_of(client)].count("vitals-stored") == 1


def test_duplicate_inside_one_body_is_recognised(start: Start, any_database: str) -> None:
    client = start(any_database)
    again = make_sample(effective="2026-03-14T09:30:00+01:00", value=71.0)
    assert in_words(send(client, [SAMPLE, SAMPLE, again])) == (1, 2, [])


def test_same_measurement_in_another_unit_or_code_is_a_duplicate(client: TestClient) -> None:
    fahrenheit = make_sample(code="8331-1", unit="[degF]", value=98.6)
    celsius = make_sample(code="8310-5", unit="Cel", value=37)
    assert in_words(send(client, [celsius, fahrenheit])) == (1, 1, [])


def test_code_value_and_unit_as_sent_are_kept(client: TestClient) -> None:
    send(client, [make_sample(code="8331-1", unit="[degF]", value=102.2)])
    (sample,) = stored(client)
    assert (sample["code"], sample["value"], sample["unit"]) == ("8310-5", 39.0, "Cel")
    with runtime_of(client).sessions() as session:
        row = session.execute(sa.text("SELECT sent_code, sent_value, sent_unit FROM sample")).one()
    assert tuple(row) == ("8331-1", 102.2, "[degF]")


def test_sample_without_device_is_recognised_again_too(start: Start, any_database: str) -> None:
    client = start(any_database)
    for expected in [(1, 0, list[int]()), (0, 1, [])]:
        assert in_words(send(client, [_without("device")])) == expected
    assert in_words(send(client, [make_sample(device=None)])) == (0, 1, [])
    assert stored(client)[0]["device"] is None


def test_many_senders_of_the_same_samples_store_them_once(start: Start, any_database: str) -> None:
    client = start(any_database)
    samples = [make_sample(value=40 + n) for n in range(60)]
    bodies = [samples if n % 2 else samples[::-1] for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: send(client, body), bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["accepted"] for answer in answers) == 60
    assert len(stored(client)) == 60


def test_one_object_goes_in_as_json(client: TestClient) -> None:
    answer = client.post(
        "/vitals/samples", content=json.dumps(SAMPLE, indent=2), headers={"Content-Type": "application/json"}
    )
    assert in_words(answer) == (1, 0, [])


def test_windows_line_ends_and_a_byte_order_mark_are_taken(client: TestClient) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(SAMPLE).encode() + b"\r\n\r\n" + json.dumps(make_sample(value=72)).encode()
    assert in_words(client.post("/vitals/samples", content=body, headers=NDJSON)) == (2, 0, [])


def test_body_larger_than_memory_allows_goes_in_whole(start: Start, database: str) -> None:
    client = start(database, memory_bytes=1000)
    samples = [make_sample(effective=f"2026-03-14T08:{n // 60:02}:{n % 60:02}Z") for n in range(600)]
    assert in_words(send(client, samples)) == (600, 0, [])


def test_each_patient_of_a_body_gets_one_event_without_values(client: TestClient) -> None:
    samples = [make_sample(patient=f"P-{n % 2}", value=160 + n) for n in range(4)]
    send(client, [*samples, samples[0], make_sample(patient="P-0", code="P-SECRET")])
    events = events_of(client)
    assert [(e["subtype"], e["outcome"], e["details"]) for e in events] == [
        ("vitals-stored", "success", {"accepted": 2, "duplicates": 1, "late": True}),
        ("vitals-stored", "success", {"accepted": 2, "duplicates": 0, "late": True}),
        ("vitals-rejected", "refused", {"rejected": 1, "lines": 6, "fields": {"code": 1}}),
    ]
    assert len({e["subjectRef"] for e in events}) == 3
    assert "P-" not in json.dumps([{**e, "subjectRef": ""} for e in events])


@pytest.mark.parametrize(("minutes", "late"), [(5, False), (15, True)])
def test_event_says_whether_a_sample_came_late(client: TestClient, minutes: int, late: bool) -> None:
    at = NOW - timedelta(minutes=minutes)
    send(client, [make_sample(effective=at.isoformat())])
    (event,) = events_of(client)
    assert event["details"]["late"] is late


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_other_roles_may_neither_write_nor_read(client: TestClient, bed: TestBed, role: Role) -> None:
    headers = bed.headers(role)
    question = {"patient": "P-1001", "start": "2026-03-14T00:00:00Z", "end": "2026-03-15T00:00:00Z"}
    assert client.post("/vitals/samples", json=SAMPLE, headers=headers).status_code == 403
    assert client.post("/vitals/search", json=question, headers=headers).status_code == 403


def test_hospital_system_may_write_and_nobody_without_a_token(client: TestClient, bed: TestBed) -> None:
    assert client.post("/vitals/samples", json=SAMPLE, headers=bed.headers(Role.EHR_SYSTEM)).status_code == 200
    assert client.post("/vitals/samples", json=SAMPLE, headers={"Authorization": ""}).status_code == 401


def test_samples_go_in_chunk_by_chunk_over_a_real_socket(bed: TestBed, database: str) -> None:
    app = create_app(Settings(database_url=database), bed.common)
    body = "".join(json.dumps(make_sample(value=40 + n)) + "\n" for n in range(100)).encode()
    chunks = (body[at : at + 37] for at in range(0, len(body), 37))
    with serve(app) as address, httpx.Client(base_url=address, headers=bed.headers(), trust_env=False) as http:
        answer = http.post("/vitals/samples", content=chunks, headers=NDJSON)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 100)
