"""`POST /vitals/search`: series for the desk, never thinned out without saying so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.services.vitals.conftest import Start, events_of, make_sample, send

T0 = datetime(2026, 3, 14, tzinfo=UTC)
RANGE = {"patient": "P-1001", "start": "2026-03-14T00:00:00Z", "end": "2026-03-15T00:00:00Z"}


def minute_by_minute(count: int, **changed: Any) -> list[dict[str, Any]]:
    return [
        make_sample(effective=(T0 + timedelta(minutes=n)).isoformat(), value=60 + n % 40, **changed)
        for n in range(count)
    ]


def test_search_gives_the_samples_of_the_range_oldest_first(start: Start, any_database: str) -> None:
    client = start(any_database)
    send(client, [*minute_by_minute(10), make_sample(patient="P-2")])
    part = {**RANGE, "start": "2026-03-14T00:02:00Z", "end": "2026-03-14T00:05:00Z"}
    answer = client.post("/vitals/search", json=part).json()
    assert [sample["value"] for sample in answer["samples"]] == [62, 63, 64, 65]
    assert (answer["total"], answer["truncated"], answer["downsampled"]) == (4, False, False)


def test_search_by_code_takes_aliases(start: Start, any_database: str) -> None:
    client = start(any_database)
    send(client, [make_sample(), make_sample(code="2708-6", unit="%", value=93)])
    answer = client.post("/vitals/search", json={**RANGE, "codes": ["2708-6"]}).json()
    assert [(sample["code"], sample["value"]) for sample in answer["samples"]] == [("59408-5", 93)]


def test_search_over_the_limit_gives_the_newest_and_says_so(start: Start, any_database: str) -> None:
    client = start(any_database)
    send(client, minute_by_minute(30))
    answer = client.post("/vitals/search", json={**RANGE, "limit": 3}).json()
    assert [sample["value"] for sample in answer["samples"]] == [87, 88, 89]
    assert (answer["total"], answer["truncated"], answer["downsampled"]) == (30, True, False)


def test_downsampling_keeps_the_extremes_of_each_variable(client: TestClient) -> None:
    spo2 = {"code": "59408-5", "unit": "%"}
    dip = make_sample(effective="2026-03-14T10:00:30Z", value=71, **spo2)
    steady = [{**sample, "value": 97} for sample in minute_by_minute(1000, **spo2)]
    send(client, [*minute_by_minute(1000), *steady, dip])
    answer = client.post("/vitals/search", json={**RANGE, "limit": 100, "downsample": True}).json()
    assert (answer["total"], answer["truncated"], answer["downsampled"]) == (2001, False, True)
    assert len(answer["samples"]) <= 100
    assert min(s["value"] for s in answer["samples"] if s["code"] == "59408-5") == 71
    heart_rates = [s["value"] for s in answer["samples"] if s["code"] == "8867-4"]
    assert (min(heart_rates), max(heart_rates)) == (60, 99)
    assert [s["effective"] for s in answer["samples"]] == sorted(s["effective"] for s in answer["samples"])


def test_downsampling_is_not_done_where_all_samples_fit(client: TestClient) -> None:
    send(client, minute_by_minute(30))
    answer = client.post("/vitals/search", json={**RANGE, "limit": 30, "downsample": True}).json()
    assert (len(answer["samples"]), answer["downsampled"]) == (30, False)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"codes": ["718-7"]}, "codes"),
        ({"start": "2026-03-16T00:00:00Z"}, "end"),
        ({"start": "2026-03-14T00:00:00"}, "start"),
        ({"start": "0001-01-01T00:00:00+01:00"}, "start"),
        ({"patient": "a\x00"}, "patient"),
        ({"limit": 0}, "limit"),
        ({"since": 1}, "since"),
    ],
)
def test_search_that_cannot_be_made_names_the_field(client: TestClient, changed: dict[str, Any], field: str) -> None:
    answer = client.post("/vitals/search", json={**RANGE, **changed})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert answer.json()["errors"][0]["fix"]


def test_search_is_a_read_event(client: TestClient) -> None:
    send(client, [make_sample()])
    client.post("/vitals/search", json=RANGE)
    event = events_of(client)[-1]
    assert (event["type"], event["subtype"], event["details"]) == ("read", "vitals-read", {"samples": 1, "total": 1})
