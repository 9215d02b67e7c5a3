"""The door with the suite's own notes service behind it."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from services.notes.app import create_app
from services.notes.settings import Settings
from shared.database import migrate
from tests.services.ehr.fhir.test_documents import TEXT, document
from tests.support.common import TestBed
from tests.support.ehr_neighbours import Door, open_door
from tests.support.servers import serve


@pytest.fixture
def real_door(bed: TestBed) -> Iterator[Door]:
    """The ehr service and the notes service, each with its own database."""
    migrate(bed.sqlite("notes"), "notes")
    notes = create_app(Settings(database_url=bed.sqlite("notes")), bed.common)
    with serve(notes) as url, open_door(bed, bed.sqlite("ehr"), notes_url=url) as door:
        yield door


def test_a_document_goes_through_and_comes_back(real_door: Door) -> None:
    created = real_door.post("/fhir/DocumentReference", document())
    assert created.status_code == 201, created.text
    read = real_door.get(f"/fhir/DocumentReference/{created.json()['id']}").json()
    assert base64.b64decode(read["content"][0]["attachment"]["data"]).decode() == TEXT


def test_the_same_document_again_is_recognised(real_door: Door) -> None:
    first, second = (real_door.post("/fhir/DocumentReference", document()) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)


def test_a_refusal_of_the_notes_service_names_the_element(real_door: Door) -> None:
    future = document(attachment={"creation": "2099-01-01T00:00:00Z"})
    answer = real_door.post("/fhir/DocumentReference", future)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["DocumentReference.content[0].attachment.creation"]
