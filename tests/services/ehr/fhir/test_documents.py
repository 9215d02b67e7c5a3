"""DocumentReference in and out."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from shared.auth import Role
from tests.support.ehr_neighbours import Door

TEXT = "Rusty sputum since Tuesday. Temperatur 39,2 °C."


def document(text: str = TEXT, **changes: Any) -> dict[str, Any]:
    """A DocumentReference that this server takes."""
    attachment = {
        "contentType": "text/plain; charset=utf-8",
        "data": base64.b64encode(text.encode()).decode(),
        "creation": "2026-03-14T08:00:00+01:00",
    }
    resource = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "34109-9"}]},
        "subject": {"identifier": {"system": "urn:mrn", "value": "MRN-7"}},
        "content": [{"attachment": attachment | changes.pop("attachment", {})}],
    }
    return {name: value for name, value in (resource | changes).items() if value is not None}


def test_a_document_becomes_a_note(door: Door) -> None:
    answer = door.post("/fhir/DocumentReference", document())
    assert answer.status_code == 201, answer.text
    (note,) = door.ward.notes.values()
    assert (note["patient"], note["type"], note["text"]) == ("MRN-7", "34109-9", TEXT)
    assert note["authored"] == "2026-03-14T08:00:00+01:00"


def test_the_answer_says_where_the_document_is(door: Door) -> None:
    answer = door.post("/fhir/DocumentReference", document())
    location = answer.headers["location"]
    assert location == f"https://consilium.example.org/fhir/DocumentReference/{answer.json()['id']}"


def test_the_same_document_again_is_known_and_keeps_its_id(door: Door) -> None:
    first, second = (door.post("/fhir/DocumentReference", document()) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]


def test_a_document_reads_back_as_it_was_sent(door: Door) -> None:
    created = door.post("/fhir/DocumentReference", document()).json()
    read = door.get(f"/fhir/DocumentReference/{created['id']}")
    assert read.headers["content-type"] == "application/fhir+json"
    assert base64.b64decode(read.json()["content"][0]["attachment"]["data"]).decode() == TEXT


def test_the_note_is_handed_on_in_the_callers_name(door: Door) -> None:
    headers = door.bed.headers(Role.EHR_SYSTEM, subject="epic-prod")
    door.client.post("/fhir/DocumentReference", json=document(), headers=headers)
    assert door.ward.subjects == ["epic-prod"]


def test_storing_a_document_is_an_audit_event_without_the_patients_identifier(door: Door) -> None:
    created = door.post("/fhir/DocumentReference", document()).json()
    (event,) = door.events()
    assert (event.producer, event.type, event.subtype) == ("ehr", "delivery", "document-reference-created")
    assert event.object is not None
    assert event.object.id == created["id"]
    assert "MRN-7" not in event.model_dump_json()


def test_reading_a_document_is_an_audit_event(door: Door) -> None:
    created = door.post("/fhir/DocumentReference", document()).json()
    door.get(f"/fhir/DocumentReference/{created['id']}")
    assert [e.subtype for e in door.events()] == ["document-reference-created", "document-reference-read"]


def test_the_date_stands_in_for_a_missing_creation(door: Door) -> None:
    body = document(date="2026-03-15T10:00:00Z")
    del body["content"][0]["attachment"]["creation"]
    assert door.post("/fhir/DocumentReference", body).status_code == 201
    assert [n["authored"] for n in door.ward.notes.values()] == ["2026-03-15T10:00:00Z"]


def test_a_patient_may_be_named_by_reference(door: Door) -> None:
    door.post("/fhir/DocumentReference", document(subject={"reference": "https://ehr.example.com/r4/Patient/p-12"}))
    assert [n["patient"] for n in door.ward.notes.values()] == ["p-12"]


@pytest.mark.parametrize(
    ("change", "element"),
    [
        ({"status": "entered-in-error"}, "DocumentReference.status"),
        ({"status": None}, "DocumentReference.status"),
        ({"subject": None}, "DocumentReference.subject"),
        ({"subject": {"reference": "Group/3"}}, "DocumentReference.subject"),
        ({"type": {"text": "Progress note"}}, "DocumentReference.type"),
        ({"content": []}, "DocumentReference.content"),
        ({"note": "no such element"}, "DocumentReference.note"),
        ({"attachment": {"creation": "2026-03-14"}}, "DocumentReference.content[0].attachment.creation"),
        ({"attachment": {"contentType": "application/pdf"}}, "DocumentReference.content[0].attachment.contentType"),
        ({"attachment": {"data": "!!!!"}}, "DocumentReference.content[0].attachment.data"),
        ({"attachment": {"data": "/////w=="}}, "DocumentReference.content[0].attachment.data"),
        ({"attachment": {"size": 3}}, "DocumentReference.content[0].attachment.size"),
        ({"attachment": {"hash": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="}}, "DocumentReference.content[0].attachment.hash"),
    ],
)
def test_an_unusable_document_is_refused_by_element(door: Door, change: dict[str, Any], element: str) -> None:
    answer = door.post("/fhir/DocumentReference", document(**change))
    assert answer.status_code == 422, answer.text
    assert [i["expression"] for i in answer.json()["issue"]] == [[element]]


def test_what_the_notes_service_refuses_is_told_as_an_element(door: Door) -> None:
    answer = door.post("/fhir/DocumentReference", document("a\x00b"))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["DocumentReference.content[0].attachment.data"]


def test_a_refused_document_leaves_no_trace_in_the_notes(door: Door) -> None:
    door.post("/fhir/DocumentReference", document(status="superseded"))
    assert door.ward.notes == {}


def test_the_specifications_own_example_is_refused_because_its_text_is_elsewhere(
    door: Door, reference_data: Path
) -> None:
    example = json.loads((reference_data / "interop/fhir-r4-examples/DocumentReference-example.json").read_text())
    answer = door.post("/fhir/DocumentReference", example)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["DocumentReference.content[0].attachment.url"]


def test_the_specifications_own_example_with_inline_text_is_taken(door: Door, reference_data: Path) -> None:
    example = json.loads((reference_data / "interop/fhir-r4-examples/DocumentReference-example.json").read_text())
    content = base64.b64encode(TEXT.encode()).decode()
    example["content"][0]["attachment"] = {"contentType": "text/plain", "data": content}
    assert door.post("/fhir/DocumentReference", example).status_code == 201
    (note,) = door.ward.notes.values()
    assert (note["patient"], note["authored"]) == ("xcda", "2005-12-24T09:43:41+11:00")


@pytest.mark.parametrize(
    ("status", "told"),
    [("current", "current"), ("superseded", "superseded"), ("cancelled", "entered-in-error")],
)
def test_a_note_that_no_longer_stands_says_so(door: Door, status: str, told: str) -> None:
    created = door.post("/fhir/DocumentReference", document()).json()
    door.ward.notes[created["id"]]["status"] = status
    assert door.get(f"/fhir/DocumentReference/{created['id']}").json()["status"] == told
