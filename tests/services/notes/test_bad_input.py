"""Every kind of bad note gets a 4xx problem document that names the field and the fix; nothing is stored."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from tests.services.notes.conftest import NOTE, events_of, make_note, runtime_of

RANDOM_BYTES = random.Random(5).randbytes(3000)
BASE64 = base64.b64encode(RANDOM_BYTES).decode()


def assert_refused(client: TestClient, answer: Any, status: int, field: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()["errors"][0]
    assert problem["field"] == field
    assert problem["fix"]
    with runtime_of(client).sessions() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM note")) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "\u200b\u200b",
        "Fever\x00and cough",
        "\x89PNG\r\n\x1a\n\x00\x00",
        "Patient\x92s cough",
        RANDOM_BYTES.decode("latin-1"),
        RANDOM_BYTES.decode("utf-8", "replace"),
        BASE64,
        "\n".join(BASE64[i : i + 76] for i in range(0, len(BASE64), 76)),
        base64.urlsafe_b64encode(RANDOM_BYTES).decode(),
        "%PDF-1.7 ...",
        "{\\rtf1\\ansi Fever}",
        "data:application/pdf;base64,JVBERi0x",
        "Fever \ud83e and cough",
        "Fever \ufffe",
    ],
)
def test_text_that_is_no_text_is_refused(client: TestClient, text: str) -> None:
    assert_refused(client, client.post("/notes", content=json.dumps(make_note(text=text)), headers=JSON), 422, "text")


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "code",
    [
        "",
        "progress note",
        "34111-6",  # wrong check digit
        "34111",
        "8867-4",  # a LOINC code, of a heart rate
        "11516-3",
        "LP173421-1",
        "34111-5 ",
        "\u0663\u0664111-5",
    ],
)
def test_type_that_is_no_document_type_is_refused(client: TestClient, code: str) -> None:
    assert_refused(client, client.post("/notes", json=make_note(type=code)), 422, "type")


@pytest.mark.parametrize(
    "authored",
    [
        "2026-03-15T13:00:01Z",  # the clock shows 12:00
        "2126-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1989-12-31T23:59:59Z",
        "2026-03-14T08:30:00",
        "2026-03-14",
        "2026-02-30T08:30:00Z",
        "2026-03-14T25:30:00Z",
        "20260314T083000Z",
        "1773477000",
        "yesterday",
        "",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_time_that_cannot_be_is_refused(client: TestClient, authored: str) -> None:
    assert_refused(client, client.post("/notes", json=make_note(authored=authored)), 422, "authored")


def test_time_an_hour_ahead_is_taken_as_a_fast_clock(client: TestClient) -> None:
    assert client.post("/notes", json=make_note(authored="2026-03-15T13:00:00Z")).status_code == 201


@pytest.mark.parametrize(
    "patient", ["", "  ", " P-1", "P-1 ", "P\\1", "P\x001", "P\n1", "P\x7f", "x" * 65, "P\ud8001", "P\u20281"]
)
def test_patient_that_dicom_could_not_hold_is_refused(client: TestClient, patient: str) -> None:
    body = json.dumps(make_note(patient=patient))
    assert_refused(client, client.post("/notes", content=body, headers=JSON), 422, "patient")


@pytest.mark.parametrize("field", ["patient", "authored", "type", "text"])
def test_missing_field_is_named(client: TestClient, field: str) -> None:
    body = {name: value for name, value in NOTE.items() if name != field}
    assert_refused(client, client.post("/notes", json=body), 422, field)


@pytest.mark.parametrize("value", [None, 7, True, ["x"], {"x": 1}])
def test_field_of_another_kind_is_named(client: TestClient, value: Any) -> None:
    assert_refused(client, client.post("/notes", json=make_note(text=value)), 422, "text")


def test_unknown_field_is_named(client: TestClient) -> None:
    assert_refused(client, client.post("/notes", json=make_note(encounter="E-1")), 422, "encounter")


def test_all_wrong_fields_are_named_at_once(client: TestClient) -> None:
    answer = client.post("/notes", json=make_note(patient="", type="?", authored="?", text=""))
    assert {problem["field"] for problem in answer.json()["errors"]} == {"patient", "type", "authored", "text"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"not json",
        b'{"patient": NaN}',
        b"\xff\xfe{}",
        json.dumps(NOTE).encode().replace(b"fever", b"f\xe9ver"),
        b'{"text": "a", "text": "b"}',
        b"[" * 100_000,
        b'{"text": ' + b"9" * 5000 + b"}",
        b"null",
        b"[]",
        json.dumps(NOTE).encode("utf-16"),
        json.dumps(NOTE).encode() + b"{}",
    ],
)
def test_body_that_is_no_json_object_is_refused(client: TestClient, body: bytes) -> None:
    assert_refused(client, client.post("/notes", content=body, headers=JSON), 400, "body")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/fhir+json", ""])
def test_other_content_types_are_refused(client: TestClient, kind: str) -> None:
    answer = client.post("/notes", content=json.dumps(NOTE), headers={"Content-Type": kind})
    assert_refused(client, answer, 415, "Content-Type")


def test_text_over_a_mebibyte_is_refused(client: TestClient) -> None:
    assert_refused(client, client.post("/notes", json=make_note(text="é" * (2**19) + "x")), 413, "text")


def test_text_of_a_mebibyte_is_taken_however_it_is_escaped(client: TestClient) -> None:
    body = json.dumps(make_note(text="é" * 2**19), ensure_ascii=True)
    assert client.post("/notes", content=body, headers=JSON).status_code == 201


def test_hundred_megabytes_are_refused_unread(client: TestClient) -> None:
    answer = client.post("/notes", content=b"x" * (100 * 10**6), headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


def test_streamed_body_over_the_limit_is_refused(client: TestClient) -> None:
    stream = (b" " * 2**20 for _ in range(8))
    assert_refused(client, client.post("/notes", content=stream, headers=JSON), 413, "body")


def test_refusal_is_an_event_that_tells_neither_patient_nor_content(client: TestClient) -> None:
    client.post("/notes", json=make_note(text="Mrs Secret\x00", patient="P-SECRET"))
    (event,) = events_of(client)
    assert (event["subtype"], event["outcome"], event["outcomeReason"]) == ("note-refused", "refused", "invalid-note")
    assert event["details"] == {"status": 422, "fields": ["text"]}
    assert "ecret" not in json.dumps(event).lower()


def test_refusal_event_never_repeats_names_that_the_sender_chose(client: TestClient) -> None:
    client.post("/notes", json=make_note(MrsSecret=1))
    (event,) = events_of(client)
    assert event["details"] == {"status": 422, "fields": []}


def test_answer_never_quotes_what_was_sent(client: TestClient) -> None:
    answer = client.post("/notes", json=make_note(text="Mrs Secret\x00", patient="P-SECRET\\", type="SECRET"))
    assert "secret" not in answer.text.lower()
