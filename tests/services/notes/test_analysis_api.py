"""What was found in a note, over HTTP, on both databases, and for notes older than the analysis."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from shared.auth import Role
from tests.services.notes.conftest import events_of, listening, make_note, notes_of, port_of, runtime_of
from tests.services.notes.hl7_messages import mdm, peer
from tests.support.common import TestBed

Start = Callable[[str], TestClient]
TEXT = "HPI: Fever. Denies chest pain.\nFH: asthma"


def test_findings_and_sections_are_offsets_into_the_text(start: Start, any_database: str) -> None:
    client = start(any_database)
    note = client.post("/notes", json=make_note(text=TEXT)).json()
    found = client.get(f"/notes/{note['id']}/analysis").raise_for_status().json()
    assert (found["id"], found["digest"]) == (note["id"], note["digest"])
    assert [(TEXT[s["start"] : s["body"]], s["kind"]) for s in found["sections"]] == [
        ("HPI:", "history-of-present-illness"),
        ("FH:", "family-history"),
    ]
    said = [(TEXT[f["start"] : f["end"]], f["finding"], f["negated"], f["family"]) for f in found["findings"]]
    assert said == [
        ("Fever", "fever", False, False),
        ("chest pain", "chest pain", True, False),
        ("asthma", "asthma", False, True),
    ]


def test_note_stored_before_notes_were_analysed_is_analysed_when_first_read(start: Start, any_database: str) -> None:
    client = start(any_database)
    note = client.post("/notes", json=make_note(text=TEXT)).json()
    first = client.get(f"/notes/{note['id']}/analysis").json()
    with runtime_of(client).sessions.begin() as session:
        session.execute(sa.text("DELETE FROM note_analysis"))
    assert client.get(f"/notes/{note['id']}/analysis").json() == first
    with runtime_of(client).sessions() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM note_analysis")) == 1


def test_analysis_is_of_the_version_that_was_stored(client: TestClient) -> None:
    note = client.post("/notes", json=make_note(text=TEXT)).json()
    stored = '{"version": 0, "sections": [], "findings": []}'
    with runtime_of(client).sessions.begin() as session:
        session.execute(sa.text("UPDATE note_analysis SET version = 0, body = :body"), {"body": stored})
    assert client.get(f"/notes/{note['id']}/analysis").json()["version"] == 0


def test_document_that_came_by_hl7_is_analysed_too(bed: TestBed, database: str) -> None:
    with listening(bed, database) as client:
        with peer(port_of(client)) as other:
            other.ask(mdm(text="No fever."))
        (note,) = notes_of(client)
        (finding,) = client.get(f"/notes/{note['id']}/analysis").json()["findings"]
    assert (finding["finding"], finding["negated"]) == ("fever", True)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.SERVICE])
def test_other_roles_may_not_read_it(client: TestClient, bed: TestBed, role: Role) -> None:
    note = client.post("/notes", json=make_note()).json()
    assert client.get(f"/notes/{note['id']}/analysis", headers=bed.headers(role)).status_code == 403


def test_unknown_note_has_no_analysis(client: TestClient) -> None:
    assert client.get("/notes/no-such-id/analysis").status_code == 404


def test_reading_it_is_an_event(client: TestClient) -> None:
    note = client.post("/notes", json=make_note()).json()
    client.get(f"/notes/{note['id']}/analysis")
    assert [event["subtype"] for event in events_of(client)] == ["note-stored", "note-read"]
