"""`POST /vitals/derived`: values with formula, source and inputs, of evidence alone."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from shared.auth import Role
from tests.services.vitals.conftest import Start, events_of, make_sample, send
from tests.support.common import TestBed

UNITS = {"9279-1": "/min", "59408-5": "%", "8480-6": "mm[Hg]", "8867-4": "/min", "8310-5": "Cel"}
VALUES = {"9279-1": 22, "59408-5": 95, "8480-6": 120, "8867-4": 112, "8310-5": 37}
AS_OF = {"patient": "P-1001", "asOf": "2026-03-14T08:45:00Z"}


def derive(client: TestClient, **more: Any) -> dict[str, Any]:
    answer = client.post("/vitals/derived", json={**AS_OF, **more})
    assert answer.status_code == 200, answer.text
    return {value["name"]: value for value in answer.json()["values"]}


def send_all(client: TestClient) -> None:
    send(client, [make_sample(code=code, value=value, unit=UNITS[code]) for code, value in VALUES.items()])


def test_score_names_formula_source_inputs_and_parts(start: Start, any_database: str) -> None:
    client = start(any_database)
    send_all(client)
    score = derive(client, consciousness="A", supplementalOxygen=False)["news2"]
    assert (score["value"], score["risk"], score["completeness"], score["missing"]) == (5, "medium", 1, [])
    assert score["parts"]["respiration"] == 2
    assert "Royal College of Physicians" in score["source"]
    assert "scale 1" in score["formula"]
    assert {(s["code"], s["value"]) for s in score["inputs"]} == set(VALUES.items())
    assert all(s["effective"] == "2026-03-14T08:30:00Z" for s in score["inputs"])


def test_doubtful_samples_are_no_inputs(client: TestClient) -> None:
    send_all(client)
    send(client, [make_sample(value=0, effective="2026-03-14T08:40:00Z")])
    score = derive(client, consciousness="A", supplementalOxygen=False)["news2"]
    assert score["value"] == 5


def test_all_that_cannot_be_derived_says_why(client: TestClient) -> None:
    found = derive(client)
    assert set(found) == {"news2", "restingHeartRate", "rmssd", "sdnn"}
    assert all(value["value"] is None and value["reason"] for value in found.values())
    assert (found["news2"]["atLeast"], found["news2"]["atMost"]) == (0, 20)


def test_later_samples_are_not_looked_at(client: TestClient) -> None:
    send_all(client)
    assert derive(client, asOf="2026-03-14T08:29:00Z")["news2"]["inputCount"] == 0


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"consciousness": "X"}, "consciousness"), ({"patient": "a\x00"}, "patient"), ({"asOf": "yesterday"}, "asOf")],
)
def test_bad_question_names_its_field(client: TestClient, changed: dict[str, Any], field: str) -> None:
    answer = client.post("/vitals/derived", json={**AS_OF, **changed})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_deriving_is_a_read_event_without_values(client: TestClient) -> None:
    send_all(client)
    derive(client, consciousness="A", supplementalOxygen=False)
    event = events_of(client)[-1]
    assert (event["type"], event["subtype"]) == ("read", "vitals-derived")
    assert event["details"] == {"samples": 5, "derived": ["news2"]}


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_other_roles_may_not_ask(client: TestClient, bed: TestBed, role: Role) -> None:
    assert client.post("/vitals/derived", json=AS_OF, headers=bed.headers(role)).status_code == 403
