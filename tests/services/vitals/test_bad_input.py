"""Every kind of bad sample is rejected by line with field, reason and fix; a body of nothing else gets a 4xx."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from tests.services.vitals.conftest import NDJSON, SAMPLE, Start, events_of, in_words, make_sample, runtime_of, send


def assert_rejected(client: TestClient, line: bytes | str, field: str) -> None:
    """The line is rejected beside a good one, and refused where it is alone; nothing of it is stored."""
    line = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
    alone = client.post("/vitals/samples", content=line, headers=NDJSON)
    assert alone.status_code == 422, alone.text
    assert alone.headers["content-type"] == "application/problem+json"
    problem = alone.json()
    assert (problem["accepted"], problem["duplicates"], problem["rejectedCount"]) == (0, 0, 1)
    assert problem["errors"][0]["field"] == field
    assert problem["errors"][0]["fix"]
    beside = client.post("/vitals/samples", content=line + b"\n" + json.dumps(SAMPLE).encode(), headers=NDJSON)
    assert beside.status_code == 200
    assert in_words(beside) == (1, 0, [1])
    (rejected,) = beside.json()["rejected"]
    assert rejected["field"] == field
    assert rejected["reason"]
    assert rejected["fix"]
    with runtime_of(client).sessions() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM sample")) == 1


def line_with(**changed: Any) -> str:
    return json.dumps(make_sample(**changed))


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "not json",
        "[]",
        "null",
        "17",
        json.dumps(SAMPLE)[:-1],
        json.dumps(SAMPLE) + "{}",
        json.dumps(SAMPLE).replace("71", '71, "value": 72'),
        json.dumps(SAMPLE).replace("71", "9" * 5000),
        json.dumps(SAMPLE).encode().replace(b"watch", b"w\xe4tch"),
        b"\x00\x01\x02\xff",
        "[" * 5000,
        "{" + " " * 9000 + "}",
    ],
)
def test_line_that_is_no_json_object_is_rejected(client: TestClient, line: bytes | str) -> None:
    assert_rejected(client, line, "line")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_a_word_where_json_has_numbers_is_rejected_as_the_value(client: TestClient, word: str) -> None:
    assert_rejected(client, json.dumps(SAMPLE).replace("71", word), "value")


@pytest.mark.parametrize("value", ["71", None, True, False, [71], {"v": 71}, 1e999, -1e999, 10**400])
def test_value_that_is_no_finite_number_is_rejected(client: TestClient, value: Any) -> None:
    line = line_with(value="?").replace('"?"', json.dumps(value).replace("Infinity", "1e999"))
    assert_rejected(client, line, "value")


@pytest.mark.parametrize(
    ("code", "unit", "value"),
    [
        ("8867-4", "/min", -1),
        ("59408-5", "%", 100.1),
        ("59408-5", "1", 97),
        ("59408-5", "%", 0.97),  # a fraction
        ("59408-5", "%", 1),
        ("8310-5", "K", -0.1),
        ("8310-5", "Cel", -274),
        ("8480-6", "mm[Hg]", -5),
        ("8480-6", "kPa", 1.7e308),
        ("9269-2", "{score}", 2),
        ("9269-2", "{score}", 16),
    ],
)
def test_value_that_cannot_be_by_definition_is_rejected(client: TestClient, code: str, unit: str, value: float) -> None:
    assert_rejected(client, line_with(code=code, unit=unit, value=value), "value")


@pytest.mark.parametrize("code", ["", "8867-5", "heart rate", "718-7", "MDC_ECG_HEART_RATE", 8867, None])
def test_unknown_code_is_rejected(client: TestClient, code: Any) -> None:
    assert_rejected(client, line_with(code=code), "code")


@pytest.mark.parametrize(
    "unit",
    [
        "",
        "bpm",
        "beats/minute",
        "mm[Hg]",
        "Cel",
        "furlong",
        "/MIN",
        " /min",
        "{}/{}/min",
        "{" + "x" * 70 + "}/min",
        1,
        None,
    ],
)
def test_unit_that_is_not_ucum_or_of_another_quantity_is_rejected(client: TestClient, unit: Any) -> None:
    assert_rejected(client, line_with(unit=unit), "unit")


@pytest.mark.parametrize(
    ("code", "unit", "fix"),
    [("8867-4", "bpm", "/min"), ("8310-5", "degC", "Cel"), ("8310-5", "°F", "[degF]"), ("8480-6", "mmHg", "mm[Hg]")],
)
def test_misspelt_unit_is_answered_with_its_ucum_code(client: TestClient, code: str, unit: str, fix: str) -> None:
    (rejected,) = send(client, [make_sample(code=code, unit=unit)]).json()["rejected"]
    assert rejected["fix"] == f"send {fix}"


@pytest.mark.parametrize(
    "effective",
    [
        "2026-03-15T13:00:01Z",  # the clock shows 12:00
        "1970-01-01T00:00:00Z",
        "1989-12-31T23:59:59Z",
        "2026-03-14T08:30:00",
        "2026-03-14",
        "14.03.2026 08:30",
        "2026-02-29T08:30:00Z",
        "",
        1773477000,
        None,
    ],
)
def test_time_that_cannot_be_is_rejected(client: TestClient, effective: Any) -> None:
    assert_rejected(client, line_with(effective=effective), "effective")


@pytest.mark.parametrize("patient", ["", " ", "P\\1", "P\x001", "x" * 65, " P-1", "P\ud800", 1001, None])
def test_patient_that_dicom_could_not_hold_is_rejected(client: TestClient, patient: Any) -> None:
    assert_rejected(client, line_with(patient=patient), "patient")


@pytest.mark.parametrize("device", ["", " ", "x" * 129, "watch\x00", "watch\n", "w\ud800", 7, []])
def test_device_that_is_no_short_text_is_rejected(client: TestClient, device: Any) -> None:
    assert_rejected(client, line_with(device=device), "device")


@pytest.mark.parametrize("field", ["patient", "code", "value", "unit", "effective"])
def test_missing_field_is_named(client: TestClient, field: str) -> None:
    line = json.dumps({name: value for name, value in SAMPLE.items() if name != field})
    assert_rejected(client, line, field)


@pytest.mark.parametrize(("name", "told"), [("note", "note"), ("\ud800", "(unprintable)"), ("x" * 99, "(unprintable)")])
def test_unknown_field_is_named(client: TestClient, name: str, told: str) -> None:
    assert_rejected(client, line_with(**{name: 1}), told)


@pytest.mark.parametrize("body", [b"", b"\n\n", b"  \r\n"])
def test_empty_body_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/vitals/samples", content=body, headers=NDJSON)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body"
    assert answer.json()["rejected"] == []


@pytest.mark.parametrize("kind", ["text/plain", "text/csv", "application/fhir+json", ""])
def test_other_content_types_are_refused(client: TestClient, kind: str) -> None:
    answer = client.post("/vitals/samples", content=json.dumps(SAMPLE), headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["field"] == "Content-Type"


def test_json_list_is_refused_with_the_way_to_send_many(client: TestClient) -> None:
    answer = client.post("/vitals/samples", json=[SAMPLE])
    assert answer.status_code == 422
    assert "NDJSON" in answer.text or "one JSON object a line" in answer.text


def test_announced_body_over_the_limit_is_refused(start: Start, database: str) -> None:
    answer = send(start(database, max_body_bytes=10_000), [SAMPLE] * 200)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_streamed_body_over_the_limit_is_refused_and_stores_nothing(start: Start, database: str) -> None:
    client = start(database, max_body_bytes=10_000)
    lines = (json.dumps(make_sample(value=n)).encode() + b"\n" for n in range(200))
    answer = client.post("/vitals/samples", content=lines, headers=NDJSON)
    assert answer.status_code == 413
    assert answer.json()["errors"][0] == {
        "field": "body",
        "problem": "is larger than 10000 bytes",
        "fix": "send the samples in several requests",
    }


def test_line_of_megabytes_is_one_rejected_line(client: TestClient) -> None:
    body = b"x" * 5_000_000 + b"\n" + json.dumps(SAMPLE).encode()
    assert in_words(client.post("/vitals/samples", content=body, headers=NDJSON)) == (1, 0, [1])


def test_answer_lists_so_many_rejects_and_counts_all(start: Start, database: str) -> None:
    client = start(database, max_rejects_told=3)
    receipt = send(client, [SAMPLE, *[make_sample(value=-1)] * 10]).json()
    assert (len(receipt["rejected"]), receipt["rejectedCount"]) == (3, 10)


def test_refusal_is_an_event_that_tells_neither_patient_nor_value(client: TestClient) -> None:
    send(client, [make_sample(patient="P-SECRET", value="SECRET"), make_sample(SECRET=1)])
    (event,) = events_of(client)
    assert (event["subtype"], event["outcome"]) == ("vitals-refused", "refused")
    assert "SECRET" not in json.dumps(event)


def test_random_bytes_never_break_the_door(client: TestClient) -> None:
    chance = random.Random(3)
    for _ in range(40):
        answer = client.post("/vitals/samples", content=chance.randbytes(chance.randrange(1, 4000)), headers=NDJSON)
        assert answer.status_code == 422


def test_mutated_lines_never_break_the_door(client: TestClient) -> None:
    chance, good = random.Random(4), json.dumps(SAMPLE).encode()
    lines = []
    for _ in range(3000):
        line = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            line[chance.randrange(len(line))] = chance.randrange(32, 256)
        lines.append(bytes(line))
    answer = client.post("/vitals/samples", content=b"\n".join(lines), headers=NDJSON)
    receipt = answer.json()
    assert answer.status_code == 200
    assert receipt["accepted"] + receipt["duplicates"] + receipt["rejectedCount"] == 3000
