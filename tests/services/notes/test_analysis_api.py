"""What was found in a note, over HTTP, on both databases, and for notes older than the analysis."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.notes.clinical.analysis import Analysis
from services.notes.clinical.language import Language
from shared.auth import Role
from tests.services.notes.conftest import events_of, listening, make_note, notes_of, port_of, runtime_of
from tests.services.notes.hl7_messages import mdm
from tests.support.common import TestBed
from tests.support.mllp import code_of, peer

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
    stored = Analysis(0, (), (), Language("en", 1.0), ()).to_json()
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


def test_name_that_cannot_be_read_does_not_refuse_the_document(bed: TestBed, database: str) -> None:
    message = mdm(text="Fever.").replace("\rTXA", "\rNK1|1|\\C2842\\^Asdf\rTXA")
    with listening(bed, database) as client, peer(port_of(client)) as other:
        assert code_of(other.ask(message)) == "AA"


SPANISH = "Paciente de 70 años que acude por fiebre y tos productiva de tres días de evolución. No refiere dolor."


def test_networks_are_given_spaces_in_the_place_of_identifiers(start: Start, any_database: str, bed: TestBed) -> None:
    client, service = start(any_database), bed.headers(Role.SERVICE)
    text = "Mrs. Zyx has fever.\nSeen 03/14/2026 with Quux, MRN P-1001."
    note = client.post("/notes", json=make_note(text=text, names=["Q. Quux"])).json()
    content = client.get(f"/internal/notes/evidence/{note['id']}", headers=service).json()
    assert content["text"] == "Mrs.     has fever.\nSeen            with     , MRN       ."
    assert len(content["text"]) == len(text)
    # People see the note as it was written, and where the identifiers are.
    assert client.get(f"/notes/{note['id']}").json()["text"] == text
    found = client.get(f"/notes/{note['id']}/analysis").json()["identifiers"]
    assert [(text[i["start"] : i["end"]], i["kind"]) for i in found] == [
        ("Zyx", "name"),
        ("03/14/2026", "date"),
        ("Quux", "name"),
        ("P-1001", "number"),
    ]


def test_identifiers_are_in_no_event(client: TestClient) -> None:
    note = client.post("/notes", json=make_note(text="Mrs. Zyx of 12 Elm Street.", names=["Zyx"])).json()
    client.get(f"/notes/{note['id']}/analysis")
    told = str(events_of(client))
    assert "Zyx" not in told
    assert "Elm" not in told


def test_language_goes_with_the_evidence(start: Start, any_database: str, bed: TestBed) -> None:
    client, service = start(any_database), bed.headers(Role.SERVICE)
    note = client.post("/notes", json=make_note(text=SPANISH)).json()
    found = client.get(f"/notes/{note['id']}/analysis").json()
    assert (found["language"]["code"], found["language"]["flagged"], found["findings"]) == ("es", True, [])
    listed = client.post("/internal/notes/evidence", json={"patient": "P-1001"}, headers=service).json()
    assert listed["items"][0]["quality"]["language"] == "es"
    assert client.get(f"/internal/notes/evidence/{note['id']}", headers=service).json()["language"] == "es"


def test_names_in_the_fields_of_a_message_are_found_in_its_text(bed: TestBed, database: str) -> None:
    message = mdm(text="Qwertzu walked in. Fever.").replace("\rTXA", "\rNK1|1|Qwertzu^Asdf\rTXA")
    with listening(bed, database) as client:
        with peer(port_of(client)) as other:
            other.ask(message)
        (note,) = notes_of(client)
        (found,) = client.get(f"/notes/{note['id']}/analysis").json()["identifiers"]
    assert note["text"][found["start"] : found["end"]] == "Qwertzu"
