"""23: an event taken out of an outbox before it was sent leaves a gap in its producer's count, and the gap is shown."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.audit.verify.log import verify_log
from services.audit.verify.notes import parse_key
from services.audit.verify.sources import open_source
from services.notes.app import create_app as create_notes
from services.notes.settings import Settings as NotesSettings
from shared.auth import Role
from shared.database import migrate
from tests.services.audit.support import Audit, event, open_audit
from tests.support.common import TestBed, make_test_bed
from tests.support.servers import serve


def _send(audit: Audit, *numbers: int, producer: str = "notes") -> None:
    for number in numbers:
        audit.append(event(producer=producer, producerSeq=number))


def _shown(audit: Audit, producer: str = "notes") -> tuple[int, int, list[tuple[int, int]], int]:
    items = {item["producer"]: item for item in audit.get("/audit/producers").json()["items"]}
    found = items[producer]
    gaps = [(gap["first"], gap["last"]) for gap in found["gaps"]]
    return found["highest"], found["missing"], gaps, found["repeated"]


def test_numbers_without_a_gap_show_none(audit: Audit) -> None:
    _send(audit, 1, 2, 3)
    assert _shown(audit) == (3, 0, [], 0)


def test_missing_numbers_are_shown_until_they_come(audit: Audit) -> None:
    _send(audit, 1, 2, 7, 9)
    assert _shown(audit) == (9, 5, [(3, 6), (8, 8)], 0)
    _send(audit, 4)
    assert _shown(audit) == (9, 4, [(3, 3), (5, 6), (8, 8)], 0)
    _send(audit, 8, 3, 6, 5)
    assert _shown(audit) == (9, 0, [], 0)


def test_a_missing_first_number_is_a_gap_too(audit: Audit) -> None:
    _send(audit, 2)
    assert _shown(audit) == (2, 1, [(1, 1)], 0)


def test_numbers_of_one_batch_may_come_in_any_order(audit: Audit) -> None:
    audit.append(*(event(producerSeq=number) for number in (3, 1, 4, 2)))
    assert _shown(audit) == (4, 0, [], 0)


def test_the_same_event_again_is_no_repetition_and_another_under_its_number_is(audit: Audit) -> None:
    first = event(producerSeq=1)
    audit.append(first)
    audit.append(first)
    assert _shown(audit) == (1, 0, [], 0)
    _send(audit, 1)
    assert _shown(audit) == (1, 0, [], 1)


def test_producers_count_each_for_itself_and_those_without_numbers_are_not_listed(audit: Audit) -> None:
    _send(audit, 1, 2)
    _send(audit, 1, 3, producer="vitals")
    audit.append(event(producer="imaging"))
    names = [item["producer"] for item in audit.get("/audit/producers").json()["items"]]
    assert (names, _shown(audit, "vitals")) == (["notes", "vitals"], (3, 1, [(2, 2)], 0))


@given(st.lists(st.integers(1, 12), min_size=1, max_size=12, unique=True))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_log_and_checker_find_the_same_gaps(tmp_path_factory: pytest.TempPathFactory, numbers: list[int]) -> None:
    bed = make_test_bed(tmp_path_factory.mktemp("gaps"))
    with open_audit(bed) as audit:
        _send(audit, *numbers)
        highest, missing, gaps, _ = _shown(audit)
    with open_source(str(bed.directory / "audit.db")) as source:
        facts = verify_log(source, [parse_key(audit.vkey)]).facts["producers"]["notes"]
    absent = set(range(1, max(numbers) + 1)) - set(numbers)
    assert (highest, missing) == (max(numbers), len(absent))
    assert {n for first, last in gaps for n in range(first, last + 1)} == absent
    assert [tuple(gap) for gap in facts["missing"]] == gaps


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.SERVICE, Role.EHR_SYSTEM])
def test_only_auditors_and_administrators_see_it(audit: Audit, role: Role) -> None:
    assert audit.get("/audit/producers", role).status_code == 403


@pytest.mark.parametrize("number", [0, -1, 2**53, "x", 1.5])
def test_what_is_no_number_is_refused(audit: Audit, number: Any) -> None:
    answer = audit.post("/internal/audit/events", {"events": [event(producerSeq=number)]}, Role.SERVICE)
    assert answer.status_code == 422


def test_row_deleted_from_a_services_outbox_shows_as_a_gap(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A real notes service, a real log; between the two, somebody who deletes a row."""
    with open_audit(make_test_bed(tmp_path_factory.mktemp("audit"))) as audit:
        assert _drain_after(audit, "DELETE FROM outbox WHERE producer_seq = 2") == 2
        assert _shown(audit) == (3, 1, [(2, 2)], 0)


def test_an_event_that_the_log_refuses_is_told_of_under_its_number(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A number with a fraction is one of the things that no leaf takes."""
    with open_audit(make_test_bed(tmp_path_factory.mktemp("audit"))) as audit:
        spoil = """UPDATE outbox SET body = json_set(body, '$.details', json('{"x": 0.5}')) WHERE producer_seq = 2"""
        assert _drain_after(audit, spoil) == 3
        assert _shown(audit) == (3, 0, [], 0)
        told = audit.get("/audit/entries", producer="notes", order="oldest").json()["items"]
        events = [item["leaf"]["event"] for item in told]
    assert [event["subtype"] for event in events] == ["note-stored", "event-refused", "note-stored"]
    assert (events[1]["producerSeq"], events[1]["object"]["kind"], events[1]["outcome"]) == (2, "event", "failure")


def _drain_after(audit: Audit, statement: str) -> int:
    """Have a notes service take three notes, change its outbox, and send what is in it."""
    with serve(_over(audit)) as url:
        bed = TestBed(audit.bed.directory, audit.bed.issuer, audit.bed.common.model_copy(update={"audit_url": url}))
        migrate(bed.sqlite("notes"), "notes")
        app = create_notes(NotesSettings(database_url=bed.sqlite("notes")), bed.common)
        _write_notes(app, bed, 3)
        with sa.create_engine(bed.sqlite("notes"), poolclass=sa.NullPool).begin() as connection:
            connection.execute(sa.text(statement))
        drained: int = app.state.runtime.relay.drain()
        return drained


def _write_notes(app: FastAPI, bed: TestBed, count: int) -> None:
    # Without its start-up the app has no running relay: the events wait.
    client = TestClient(app)
    for number in range(count):
        body = {"patient": "P1", "authored": "2026-01-01T00:00:00Z", "type": "11506-3", "text": f"Cough, day {number}."}
        assert client.post("/notes", json=body, headers=bed.headers(Role.CLINICIAN)).status_code == 201


def _over(audit: Audit) -> FastAPI:
    """The running service's own routes on a real socket."""
    front = FastAPI()
    front.mount("/", audit.app)
    return front
