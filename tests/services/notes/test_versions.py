"""Versions of notes: what was replaced or cancelled is kept, told apart, and no evidence of later times."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient

from services.notes.domain import NoteStatus
from services.notes.store import Base
from services.notes.usecases import reads, storing
from services.notes.usecases.asking import Asker
from shared.auth import Principal, Role
from shared.database import create_engine
from tests.services.notes.conftest import NOW, events_of, make_note, runtime_of
from tests.support.common import PROJECT_ROOT, TestBed

Start = Callable[[str], TestClient]
EARLY, LATE = "2026-03-14T08:30:00Z", "2026-03-14T10:00:00Z"


def evidence(client: TestClient, bed: TestBed, as_of: str | None = None) -> list[str]:
    """Ids of what is listed as evidence, newest first."""
    question = {"patient": "P-1001", "asOf": as_of}
    answer = client.post("/internal/notes/evidence", json=question, headers=bed.headers(Role.SERVICE))
    return [item["id"] for item in answer.raise_for_status().json()["items"]]


def stored(client: TestClient, **changed: Any) -> str:
    answer = client.post("/notes", json=make_note(**changed))
    assert answer.status_code == 201, answer.text
    note_id: str = answer.json()["id"]
    return note_id


def refused(client: TestClient, status: int, field: str, **changed: Any) -> None:
    answer = client.post("/notes", json=make_note(**changed))
    assert answer.status_code == status, answer.text
    problem = answer.json()["errors"][0]
    assert (problem["field"], bool(problem["fix"])) == (field, True)


def test_replaced_note_is_shown_with_its_successor(start: Start, any_database: str) -> None:
    client = start(any_database)
    old = stored(client)
    new = stored(client, authored=LATE, text="Corrected: no fever.", replaces=old)
    was, now = client.get(f"/notes/{old}").json(), client.get(f"/notes/{new}").json()
    assert (was["status"], was["supersededBy"], was["text"]) == ("superseded", new, make_note()["text"])
    assert (now["status"], now["supersededBy"]) == ("current", None)
    listed = client.post("/notes/search", json={"patient": "P-1001"}).json()["items"]
    assert [(item["id"], item["status"]) for item in listed] == [(new, "current"), (old, "superseded")]


def test_evidence_is_the_version_that_stood_at_the_time(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    old = stored(client)
    new = stored(client, authored=LATE, text="Corrected: no fever.", replaces=old)
    assert evidence(client, bed) == [new]
    assert evidence(client, bed, LATE) == [new]
    assert evidence(client, bed, "2026-03-14T09:59:59Z") == [old]
    assert evidence(client, bed, "2026-03-14T08:29:59Z") == []


def test_replaced_note_can_still_be_read_by_a_case_that_holds_it(client: TestClient, bed: TestBed) -> None:
    old = stored(client)
    stored(client, authored=LATE, text="Corrected.", replaces=old)
    answer = client.get(f"/internal/notes/evidence/{old}", headers=bed.headers(Role.SERVICE))
    assert answer.json()["text"] == make_note()["text"]


def test_addendum_stands_beside_its_note(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    first = stored(client)
    addendum = stored(client, authored=LATE, text="Addendum: culture negative.", replaces=first, relation="appends")
    assert evidence(client, bed) == [addendum, first]
    assert client.get(f"/notes/{first}").json()["status"] == "current"
    assert client.get(f"/notes/{addendum}").json()["appendsTo"] == first


def test_cancelled_note_is_no_evidence_from_then_on(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    note_id = stored(client)
    cancel(client, note_id)
    assert evidence(client, bed) == []
    assert evidence(client, bed, NOW.isoformat()) == []
    assert evidence(client, bed, LATE) == [note_id]
    assert client.get(f"/notes/{note_id}").json()["status"] == "cancelled"


def cancel(client: TestClient, note_id: str) -> bool:
    """Cancel a note as the HL7 door does; HTTP has no verb for it."""
    runtime = runtime_of(client)
    asker = Asker(Principal("mllp", "TEST", Role.EHR_SYSTEM, runtime.common.tenant, None, "1"), "r")
    with runtime.sessions.begin() as session:
        note = reads.find_note(session, runtime.common.tenant, note_id)
        assert note
        return storing.cancel_note(session, runtime, asker, note)


def test_note_is_cancelled_once(client: TestClient) -> None:
    note_id = stored(client)
    assert [cancel(client, note_id), cancel(client, note_id)] == [True, False]
    assert [event["subtype"] for event in events_of(client)] == ["note-stored", "note-cancelled"]


def test_three_versions_leave_the_last_one(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    first = stored(client)
    second = stored(client, authored="2026-03-14T09:00:00Z", text="Second.", replaces=first)
    third = stored(client, authored=LATE, text="Third.", replaces=second)
    assert evidence(client, bed) == [third]
    assert evidence(client, bed, "2026-03-14T09:30:00Z") == [second]


def test_evidence_of_a_time_when_a_note_stood_says_what_became_of_it(client: TestClient, bed: TestBed) -> None:
    old = stored(client)
    at = "2026-03-14T08:45:00Z"
    assert _statuses(client, bed, at) == {old: "current"}
    new = stored(client, authored=LATE, text="Corrected.", replaces=old)
    assert _statuses(client, bed, at) == {old: "superseded"}
    cancel(client, new)
    assert _statuses(client, bed, LATE) == {new: "cancelled"}
    changes = [event for event in events_of(client) if event["action"] == "U"]
    assert [(event["subtype"], event["details"]["late"]) for event in changes] == [
        ("note-superseded", True),
        ("note-cancelled", True),
    ]


def _statuses(client: TestClient, bed: TestBed, as_of: str) -> dict[str, str]:
    question = {"patient": "P-1001", "asOf": as_of}
    answer = client.post("/internal/notes/evidence", json=question, headers=bed.headers(Role.SERVICE))
    return {item["id"]: item["quality"]["status"] for item in answer.json()["items"]}


def test_the_same_replacement_again_changes_nothing(start: Start, any_database: str) -> None:
    client = start(any_database)
    old = stored(client)
    body = make_note(authored=LATE, text="Corrected.", replaces=old)
    first, again = client.post("/notes", json=body), client.post("/notes", json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert [event["subtype"] for event in events_of(client)] == ["note-stored", "note-stored", "note-superseded"]


def test_a_stored_note_may_be_named_a_replacement_later(client: TestClient, bed: TestBed) -> None:
    old, new = stored(client), stored(client, authored=LATE, text="Corrected.")
    answer = client.post("/notes", json=make_note(authored=LATE, text="Corrected.", replaces=old))
    assert answer.status_code == 200
    assert evidence(client, bed) == [new]


def test_two_replacements_at_once_leave_one(start: Start, any_database: str, bed: TestBed) -> None:
    client = start(any_database)
    old = stored(client)

    def replace(number: int) -> int:
        body = make_note(authored=LATE, text=f"Version {number}.", replaces=old)
        return client.post("/notes", json=body).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(replace, range(4))) == [201, 409, 409, 409]
    assert len(evidence(client, bed)) == 1


def test_a_link_that_cannot_be_is_refused_with_its_field(client: TestClient, bed: TestBed) -> None:
    old = stored(client)
    other = stored(client, patient="P-2", text="Of another patient.")
    for unknown in ("", "x", "0190a0a0-0000-7000-8000-000000000000", other):
        refused(client, 422, "replaces", authored=LATE, text="New.", replaces=unknown)
    refused(client, 422, "replaces", replaces=old)
    refused(client, 422, "authored", authored="2026-03-14T08:29:59Z", text="New.", replaces=old)
    refused(client, 422, "relation", authored=LATE, text="New.", relation="appends")
    refused(client, 422, "relation", authored=LATE, text="New.", replaces=old, relation="contradicts")
    assert evidence(client, bed) == [old]


def test_a_note_that_no_longer_stands_takes_no_more_links(client: TestClient) -> None:
    old = stored(client)
    new = stored(client, authored=LATE, text="Corrected.", replaces=old)
    refused(client, 409, "replaces", authored=LATE, text="Another.", replaces=old)
    refused(client, 409, "replaces", authored=LATE, text="Another.", replaces=old, relation="appends")
    cancel(client, new)
    refused(client, 409, "text", authored=LATE, text="Corrected.", replaces=stored(client, text="Third."))


def test_a_refused_link_stores_nothing_and_is_on_record(client: TestClient) -> None:
    old = stored(client)
    stored(client, authored=LATE, text="Corrected.", replaces=old)
    refused(client, 409, "replaces", authored=LATE, text="Another.", replaces=old)
    last = events_of(client)[-1]
    assert (last["subtype"], last["outcomeReason"]) == ("note-refused", "note-not-current")
    assert last["details"] == {"status": 409, "fields": ["replaces"]}
    with runtime_of(client).sessions() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM note")) == 2


def test_the_receipt_is_as_it_ever_was(client: TestClient) -> None:
    receipt = client.post("/notes", json=make_note()).json()
    assert set(receipt) == {"id", "digest", "patient", "authored", "type", "receivedAt", "duplicate"}


def test_a_cancelled_note_has_a_status_of_its_own() -> None:
    assert {status.value for status in NoteStatus} == {"current", "superseded", "cancelled"}


def test_the_migrations_build_what_the_rows_declare(any_database: str) -> None:
    engine = create_engine(any_database)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_notes_of_the_code_before_are_current_after_the_migration(
    kind: str, bed: TestBed, start: Start, request: pytest.FixtureRequest
) -> None:
    url = bed.sqlite("notes") if kind == "sqlite" else request.getfixturevalue("postgres_url")
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(PROJECT_ROOT / "services" / "notes" / "migrations"))
    note_id = "0190a0a0-0000-7000-8000-000000000001"
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        columns = "id, tenant, digest, patient, authored, type, text, received_at"
        values = ":id, 'default', 'sha256:0', 'P-1001', :at, '34111-5', 'Old.', :at"
        insert = f"INSERT INTO note ({columns}) VALUES ({values})"
        connection.execute(sa.text(insert), {"id": note_id, "at": "2026-03-14 08:00:00+00:00"})
        command.upgrade(config, "head")
        # The code before goes on writing what it wrote.
        connection.execute(sa.text(insert.replace("sha256:0", "sha256:1")), {"id": note_id[:-1] + "2", "at": LATE})
    engine.dispose()
    if kind == "sqlite":
        assert start(url).get(f"/notes/{note_id}").json()["status"] == "current"
