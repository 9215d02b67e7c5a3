"""The door with the suite's own notes and vitals services behind it."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import httpx
import pytest

from services.notes import app as notes_app
from services.notes.settings import Settings as NotesSettings
from services.vitals import app as vitals_app
from services.vitals.settings import Settings as VitalsSettings
from shared.database import migrate
from tests.services.ehr.fhir.test_documents import TEXT, document
from tests.services.ehr.fhir.test_observations import blood_pressure, heart_rate, quantity
from tests.support.common import TestBed
from tests.support.ehr_neighbours import Door, open_door
from tests.support.servers import serve


@pytest.fixture
def notes_url(bed: TestBed) -> Iterator[str]:
    """The notes service."""
    migrate(bed.sqlite("notes"), "notes")
    settings = NotesSettings(database_url=bed.sqlite("notes"), mllp_enabled=False)
    with serve(notes_app.create_app(settings, bed.common)) as url:
        yield url


@pytest.fixture
def real_door(bed: TestBed, notes_url: str) -> Iterator[Door]:
    """Three services, each with its own database."""
    migrate(bed.sqlite("vitals"), "vitals")
    vitals = vitals_app.create_app(VitalsSettings(database_url=bed.sqlite("vitals")), bed.common)
    with serve(vitals) as vitals_url:
        urls = {"notes_url": notes_url, "vitals_url": vitals_url}
        with open_door(bed, bed.sqlite("ehr"), **urls) as door:
            yield door


def test_a_document_goes_through_and_comes_back(real_door: Door) -> None:
    created = real_door.post("/fhir/DocumentReference", document())
    assert created.status_code == 201, created.text
    read = real_door.get(f"/fhir/DocumentReference/{created.json()['id']}").json()
    assert base64.b64decode(read["content"][0]["attachment"]["data"]).decode() == TEXT


def test_rich_text_comes_back_as_its_words(real_door: Door) -> None:
    data = base64.b64encode(rb"{\rtf1\ansi Fi\'e8vre \b and\b0  cough.}").decode()
    created = real_door.post(
        "/fhir/DocumentReference", document(attachment={"contentType": "application/rtf", "data": data})
    )
    read = real_door.get(f"/fhir/DocumentReference/{created.json()['id']}").json()
    assert base64.b64decode(read["content"][0]["attachment"]["data"]).decode() == "Fièvre and cough."


def test_rich_text_that_was_cut_off_is_told_as_the_attachment(real_door: Door) -> None:
    attachment = {"contentType": "text/rtf", "data": base64.b64encode(rb"{\rtf1 Fever").decode()}
    answer = real_door.post("/fhir/DocumentReference", document(attachment=attachment))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["DocumentReference.content[0].attachment.data"]


def test_the_same_document_again_is_recognised(real_door: Door) -> None:
    first, second = (real_door.post("/fhir/DocumentReference", document()) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)


def test_a_document_that_was_replaced_says_so(real_door: Door, notes_url: str, bed: TestBed) -> None:
    created = real_door.post("/fhir/DocumentReference", document()).json()
    note = httpx.get(f"{notes_url}/notes/{created['id']}", headers=bed.headers(), trust_env=False).json()
    new = {name: note[name] for name in ("patient", "authored", "type")} | {"text": "New.", "replaces": note["id"]}
    httpx.post(f"{notes_url}/notes", json=new, headers=bed.headers(), trust_env=False).raise_for_status()
    assert real_door.get(f"/fhir/DocumentReference/{created['id']}").json()["status"] == "superseded"


def test_a_refusal_of_the_notes_service_names_the_element(real_door: Door) -> None:
    future = document(attachment={"creation": "2099-01-01T00:00:00Z"})
    answer = real_door.post("/fhir/DocumentReference", future)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["DocumentReference.content[0].attachment.creation"]


def test_the_same_observation_again_is_recognised(real_door: Door) -> None:
    first, second = (real_door.post("/fhir/Observation", blood_pressure()) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)


def test_a_measurement_that_cannot_be_is_named(real_door: Door) -> None:
    answer = real_door.post("/fhir/Observation", heart_rate(valueQuantity=quantity(-900, "/min")))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Observation"]


def test_the_component_that_cannot_be_is_named(real_door: Door) -> None:
    answer = real_door.post("/fhir/Observation", blood_pressure(systolic=-900))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Observation.component[0]"]
