"""The notes service over HTTP, on SQLite and PostgreSQL: what goes in comes out, once, and the log says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from services.notes.app import create_app
from services.notes.settings import Settings
from shared.auth import Role
from shared.contracts.evidence import EvidenceList, NoteContent
from tests.services.notes.conftest import NOTE, events_of, make_note
from tests.support.common import TestBed
from tests.support.servers import serve

Start = Callable[[str], TestClient]


def test_note_is_stored_and_read_back_verbatim(start: Start, any_database: str) -> None:
    client = start(any_database)
    text = "Fièvre 39,2 °C 🤒\r\n\tNo e\u0301dema; no édema.  "
    receipt = client.post("/notes", json=make_note(text=text))
    assert receipt.status_code == 201, receipt.text
    assert receipt.headers["location"] == f"/notes/{receipt.json()['id']}"
    assert receipt.json() | {"id": "", "digest": ""} == {
        "id": "",
        "digest": "",
        "patient": "P-1001",
        "authored": "2026-03-14T08:30:00Z",
        "type": "34111-5",
        "receivedAt": "2026-03-15T12:00:00Z",
        "duplicate": False,
    }
    assert client.get(receipt.headers["location"]).json()["text"] == text


def test_same_note_again_is_a_duplicate_without_a_second_event(start: Start, any_database: str) -> None:
    client = start(any_database)
    first = client.post("/notes", json=NOTE).json()
    again = client.post("/notes", json=make_note(authored="2026-03-14T09:30:00+01:00"))
    assert again.status_code == 200
    assert again.json() == {**first, "duplicate": True}
    assert [event["subtype"] for event in events_of(client)] == ["note-stored"]


def test_same_note_sent_at_once_by_many_is_stored_once(start: Start, any_database: str) -> None:
    client = start(any_database)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/notes", json=NOTE), range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("patient", "P-2"), ("authored", "2026-03-14T08:31:00Z"), ("type", "34117-2"), ("text", "Other.")],
)
def test_note_that_differs_in_one_field_is_another_note(client: TestClient, field: str, value: str) -> None:
    first = client.post("/notes", json=NOTE).json()
    other = client.post("/notes", json=make_note(**{field: value}))
    assert other.status_code == 201
    assert other.json()["digest"] != first["digest"]


def test_search_lists_a_patients_notes_newest_first_page_by_page(start: Start, any_database: str) -> None:
    client = start(any_database)
    # Two of them have one time: no page may lose either.
    hours = (1, 2, 2, 3, 4)
    sent = [
        client.post("/notes", json=make_note(authored=f"2026-03-14T0{h}:00:00Z", text=f"Note {n}.")).json()
        for n, h in enumerate(hours)
    ]
    client.post("/notes", json=make_note(patient="P-2"))
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": None}
    for _ in range(3):
        page = client.post("/notes/search", json={"patient": "P-1001", "limit": 2, "before": page["next"]}).json()
        found += page["items"]
    assert page["next"] is None
    assert [item["authored"] for item in found] == [f"2026-03-14T0{h}:00:00Z" for h in (4, 3, 2, 2, 1)]
    assert {item["id"] for item in found} == {note["id"] for note in sent}
    assert not any("text" in item for item in found)


def test_unknown_note_is_not_found(start: Start, any_database: str) -> None:
    client = start(any_database)
    for note_id in ("0190a0a0-0000-7000-8000-000000000000", "no-such-id", "%00"):
        answer = client.get(f"/notes/{note_id}")
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["field"] == "id"


def test_search_with_an_impossible_patient_or_page_names_the_field(start: Start, any_database: str) -> None:
    client = start(any_database)
    for body, field in (
        ({"patient": "a\x00b"}, "patient"),
        ({"patient": "P-1001", "before": "no-such-page"}, "before"),
    ):
        answer = client.post("/notes/search", json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field


def test_ingest_and_read_write_events_without_patient_data(client: TestClient, bed: TestBed) -> None:
    note_id = client.post("/notes", json=NOTE).json()["id"]
    client.get(f"/notes/{note_id}")
    client.post("/notes/search", json={"patient": "P-1001"})
    client.get(f"/internal/notes/evidence/{note_id}", headers=bed.headers(Role.SERVICE))
    events = events_of(client)
    assert [(e["subtype"], e["action"], e["actor"]["role"]) for e in events] == [
        ("note-stored", "C", "clinician"),
        ("note-read", "R", "clinician"),
        ("notes-listed", "R", "clinician"),
        ("note-read", "R", "service"),
    ]
    assert len({e["subjectRef"] for e in events}) == 1
    told = json.dumps(events)
    assert "P-1001" not in told
    assert "cough" not in told


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMIN, Role.SERVICE])
def test_other_roles_may_neither_write_nor_read(client: TestClient, bed: TestBed, role: Role) -> None:
    note_id = client.post("/notes", json=NOTE).json()["id"]
    headers = bed.headers(role)
    answers = (
        client.post("/notes", json=make_note(text="Other."), headers=headers),
        client.get(f"/notes/{note_id}", headers=headers),
        client.post("/notes/search", json={"patient": "P-1001"}, headers=headers),
    )
    assert [answer.status_code for answer in answers] == [403, 403, 403]


def test_hospital_system_may_write(client: TestClient, bed: TestBed) -> None:
    assert client.post("/notes", json=NOTE, headers=bed.headers(Role.EHR_SYSTEM)).status_code == 201


def test_without_a_token_nothing_is_answered(client: TestClient) -> None:
    assert client.post("/notes", json=NOTE, headers={"Authorization": ""}).status_code == 401


def test_evidence_lists_notes_up_to_the_time_asked_for(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    early = client.post("/notes", json=make_note(authored="2026-03-14T08:00:00Z")).json()
    late = client.post("/notes", json=make_note(authored="2026-03-14T10:00:00Z")).json()

    def ask(**question: str) -> EvidenceList:
        answer = client.post("/internal/notes/evidence", json=question, headers=bed.headers(Role.SERVICE))
        return EvidenceList.model_validate(answer.raise_for_status().json())

    assert [item.id for item in ask(patient="P-1001").items] == [late["id"], early["id"]]
    assert [item.digest for item in ask(patient="P-1001", asOf="2026-03-14T09:00:00Z").items] == [early["digest"]]
    before_all = ask(patient="P-1001", asOf="2026-03-13T09:00:00Z")
    assert (before_all.known, before_all.items) == (True, [])
    assert ask(patient="P-404").known is False
    assert ask(patient="a\x00").known is False


def test_evidence_content_is_the_note_that_the_digest_names(client: TestClient, bed: TestBed) -> None:
    stored = client.post("/notes", json=NOTE).json()
    answer = client.get(f"/internal/notes/evidence/{stored['id']}", headers=bed.headers(Role.SERVICE))
    content = NoteContent.model_validate(answer.json())
    assert (content.text, content.type, content.digest) == (NOTE["text"], "34111-5", stored["digest"])


def test_people_may_not_use_the_internal_door(client: TestClient) -> None:
    answer = client.post("/internal/notes/evidence", json={"patient": "P-1001"})
    assert answer.status_code == 403


def test_note_goes_in_over_a_real_socket(bed: TestBed, database: str) -> None:
    app = create_app(Settings(database_url=database, mllp_enabled=False), bed.common)
    with serve(app) as address, httpx.Client(base_url=address, headers=bed.headers(), trust_env=False) as http:
        answer = http.post("/notes", json=NOTE)
        assert answer.status_code == 201
        assert http.get(answer.headers["location"]).json()["text"] == NOTE["text"]


def test_huge_body_is_refused_over_a_real_socket(bed: TestBed, database: str) -> None:
    app = create_app(Settings(database_url=database, mllp_enabled=False), bed.common)
    endless = (b" " * 2**16 for _ in range(1600))
    with serve(app) as address, httpx.Client(base_url=address, headers=bed.headers(), trust_env=False) as http:
        answer = http.post("/notes", content=endless, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert [error["field"] for error in answer.json()["errors"]] == ["body"]
        assert http.get("/healthz").status_code == 200
