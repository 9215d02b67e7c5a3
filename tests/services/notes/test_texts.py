"""Texts lie sealed in the database, each bound to its note; those from before are read as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.notes.erasing import ERASER
from services.notes.store import NoteRow
from shared.auth import Role
from shared.contracts.erasure import ErasureOrder
from shared.erasure import carry_out
from shared.ids import uuid7
from shared.web import Runtime
from tests.services.notes.conftest import NOTE, make_note
from tests.support.common import TestBed

TEXT = "A text of CANARY, who coughs. \u00c4rztlicher Bericht."


def runtime_of(client: TestClient) -> Runtime:
    app: Any = client.app
    runtime: Runtime = app.state.runtime
    return runtime


def send(client: TestClient, **changed: Any) -> str:
    answer = client.post("/notes", json=make_note(**changed))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_no_byte_of_the_database_shows_a_text_and_the_door_shows_it_verbatim(client: TestClient, bed: TestBed) -> None:
    note = send(client, text=TEXT)
    assert client.get(f"/notes/{note}").json()["text"] == TEXT
    files = [path for path in Path(bed.directory).rglob("*") if path.is_file()]
    assert not any(b"CANARY" in path.read_bytes() for path in files)


def test_evidence_says_how_long_a_text_is_without_opening_it(client: TestClient, bed: TestBed) -> None:
    send(client, text=TEXT)
    question = {"patient": NOTE["patient"]}
    listed = client.post("/internal/notes/evidence", json=question, headers=bed.headers(Role.SERVICE)).json()
    assert [item["quality"]["characters"] for item in listed["items"]] == [len(TEXT)]


def test_a_text_from_before_is_read_as_it_is(client: TestClient) -> None:
    note = send(client, text=TEXT)
    with runtime_of(client).sessions.begin() as session:
        session.execute(sa.update(NoteRow).values(text="As it was written.", sealed=None, characters=None))
    assert client.get(f"/notes/{note}").json()["text"] == "As it was written."


@pytest.mark.parametrize("harm", ["moved", "changed"])
def test_a_text_that_was_moved_or_changed_is_not_shown(client: TestClient, harm: str) -> None:
    note, other = send(client, text=TEXT), send(client, text="Another text of the same patient.")
    with runtime_of(client).sessions.begin() as session:
        sealed = {row.id: row.sealed or b"" for row in session.scalars(sa.select(NoteRow))}
        new = sealed[other] if harm == "moved" else sealed[note][:-1] + bytes([sealed[note][-1] ^ 1])
        session.execute(sa.update(NoteRow).where(NoteRow.id == note).values(sealed=new))
    answer = TestClient(client.app, headers=dict(client.headers), raise_server_exceptions=False).get(f"/notes/{note}")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:consilium:problem:note-damaged")


def test_a_restored_row_of_an_erased_patient_shows_nothing(client: TestClient) -> None:
    """Before it is erased again: its key is gone."""
    runtime, note = runtime_of(client), send(client, text=TEXT)
    with runtime.sessions() as session:
        row = session.execute(sa.select(NoteRow.__table__)).mappings().one()
    subject = runtime.events.pseudonyms.patient(runtime.common.tenant, NOTE["patient"])
    carry_out(runtime, ERASER, ErasureOrder(id=uuid7(), subject_ref=subject, patient=NOTE["patient"]))
    with runtime.sessions.begin() as session:
        session.execute(sa.text("DELETE FROM erasure"))
        session.execute(sa.insert(NoteRow), [dict(row)])
    assert client.get(f"/notes/{note}").status_code == 404
    assert client.post("/notes", json=make_note(text="Meanwhile.")).status_code == 503
