"""Erasures and legal holds as the audit service takes them: asked for, held up, retried, journalled."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from services.audit.domain.erasure import Erasure
from services.audit.erasure_journal import ErasureJournal
from services.notes.app import create_app as create_notes
from services.notes.settings import Settings as NotesSettings
from services.suite.servers import free_port
from shared.auth import Role
from shared.clock import utc_now
from shared.database import migrate
from shared.errors import Unavailable
from tests.services.audit.support import Audit, open_audit
from tests.services.notes.conftest import NOTE
from tests.support.common import TestBed
from tests.support.servers import serve

ASKED = {"patient": "P-1", "reason": "asked to be forgotten"}
HELD = {"patient": "P-1", "reason": "a claim is being settled", "owner": "legal department"}


@pytest.fixture
def alone(bed: TestBed) -> Iterator[Audit]:
    """The service without any other that keeps patient data."""
    with open_audit(bed, erasure_services=()) as audit:
        yield audit


def ask(audit: Audit, body: dict[str, str] = ASKED) -> Any:
    return audit.post("/erasures", body, Role.ADMIN)


def state(audit: Audit, erasure_id: str) -> str:
    return str(audit.get(f"/erasures/{erasure_id}").json()["state"])


def eventually(check: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def journal(bed: TestBed) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (bed.directory / "erasures.jsonl").read_text().splitlines()]


def test_an_erasure_is_taken_at_once_and_done_soon(alone: Audit) -> None:
    answer = ask(alone)
    assert (answer.status_code, answer.headers["location"]) == (202, f"/erasures/{answer.json()['id']}")
    eventually(lambda: state(alone, answer.json()["id"]) == "done")
    found = alone.get(f"/erasures/{answer.json()['id']}", Role.ADMIN).json()
    assert [one["service"] for one in found["receipts"]] == ["audit"]
    assert found["finishedAt"] is not None
    assert "P-1" not in json.dumps(found)


def test_who_asked_and_why_is_in_the_log_before_it_happens(alone: Audit) -> None:
    erasure = ask(alone).json()
    eventually(lambda: state(alone, erasure["id"]) == "done")
    entries = alone.get("/audit/entries", type="erasure", objectId=erasure["id"], order="oldest").json()["items"]
    leaves = [one["leaf"]["event"] for one in entries]
    assert [leaf["subtype"] for leaf in leaves] == ["erasure-requested", "patient-erased"]
    assert leaves[0]["actor"]["role"] == "admin"
    assert {leaf["subjectRef"] for leaf in leaves} == {erasure["subjectRef"]}
    assert all(ASKED["reason"] not in json.dumps(leaf) for leaf in leaves)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_an_administrator_erases_and_holds(alone: Audit, role: Role) -> None:
    answers = [alone.post("/erasures", ASKED, role), alone.post("/holds", HELD, role)]
    assert [answer.status_code for answer in answers] == [403, 403]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/erasures", {**ASKED, "reason": "p-1 asked to be forgotten"}, "reason"),
        ("/erasures", {**ASKED, "reason": "short"}, "reason"),
        ("/erasures", {**ASKED, "patient": ""}, "patient"),
        ("/holds", {**HELD, "owner": "who treats P-1"}, "owner"),
        ("/holds", {name: value for name, value in HELD.items() if name != "owner"}, "owner"),
    ],
)
def test_words_that_cannot_be_kept_are_refused(alone: Audit, path: str, body: dict[str, str], field: str) -> None:
    answer = alone.post(path, body, Role.ADMIN)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("path", ["/erasures/none", "/holds/none/release"])
def test_what_is_not_there_is_not_found(alone: Audit, path: str) -> None:
    answer = alone.get(path) if path.startswith("/erasures") else alone.post(path, role=Role.ADMIN)
    assert answer.status_code == 404


def test_an_erasure_under_a_hold_waits_and_is_carried_out_on_its_release(alone: Audit) -> None:
    hold = alone.post("/holds", HELD, Role.ADMIN).json()
    second = alone.post("/holds", {**HELD, "owner": "court"}, Role.ADMIN).json()
    erasure = ask(alone).json()
    assert erasure["state"] == "held"
    assert alone.get(f"/erasures/{erasure['id']}").json()["holds"] == [hold["id"], second["id"]]
    alone.post(f"/holds/{hold['id']}/release", role=Role.ADMIN)
    assert state(alone, erasure["id"]) == "held"
    assert [one["id"] for one in alone.get("/holds").json()["items"]] == [second["id"]]
    released = alone.post(f"/holds/{second['id']}/release", role=Role.ADMIN).json()
    assert released["releasedBy"] == "demo-admin"
    eventually(lambda: state(alone, erasure["id"]) == "done")
    assert alone.post(f"/holds/{second['id']}/release", role=Role.ADMIN).json() == released


def test_a_hold_on_another_patient_holds_nothing_up(alone: Audit) -> None:
    alone.post("/holds", {**HELD, "patient": "P-2"}, Role.ADMIN)
    erasure = ask(alone).json()
    eventually(lambda: state(alone, erasure["id"]) == "done")


def test_a_held_erasure_waits_over_a_restart(bed: TestBed) -> None:
    with open_audit(bed, erasure_services=()) as audit:
        hold = audit.post("/holds", HELD, Role.ADMIN).json()
        erasure = ask(audit).json()
    with open_audit(bed, erasure_services=()) as audit:
        assert state(audit, erasure["id"]) == "held"
        assert ask(audit).status_code == 200
        audit.post(f"/holds/{hold['id']}/release", role=Role.ADMIN)
        eventually(lambda: state(audit, erasure["id"]) == "done")


def test_a_service_that_is_away_is_asked_until_it_answers_over_restarts_too(bed: TestBed) -> None:
    port = free_port()
    common = bed.common.model_copy(update={"notes_url": f"http://127.0.0.1:{port}"})
    here = TestBed(bed.directory, bed.issuer, common)
    with open_audit(here, erasure_services=("notes",)) as audit:
        erasure = ask(audit).json()
        eventually(lambda: _attempts(audit, erasure["id"]) >= 2)
        assert (ask(audit).status_code, ask(audit).json()["id"]) == (200, erasure["id"])
    assert [line["id"] for line in journal(bed)] == [erasure["id"]]
    with ExitStack() as stack:
        migrate(bed.sqlite("notes"), "notes")
        notes = create_notes(NotesSettings(database_url=bed.sqlite("notes"), mllp_enabled=False), common)
        stack.enter_context(serve(notes, port))
        audit = stack.enter_context(open_audit(here, erasure_services=("notes",)))
        eventually(lambda: state(audit, erasure["id"]) == "done")
        receipts = audit.get(f"/erasures/{erasure['id']}").json()["receipts"]
        assert [one["stores"] for one in receipts] == [{}, {}]


def _attempts(audit: Audit, erasure_id: str) -> int:
    receipts = audit.get(f"/erasures/{erasure_id}").json()["receipts"]
    return int(next(one["attempts"] for one in receipts if one["service"] == "notes"))


def test_the_same_order_twice_erases_once(bed: TestBed) -> None:
    """As after an answer that was lost: the receipt is the first one's, and what came since stays."""
    migrate(bed.sqlite("notes"), "notes")
    notes = create_notes(NotesSettings(database_url=bed.sqlite("notes"), mllp_enabled=False), bed.common)
    with serve(notes) as url:
        import httpx

        http = httpx.Client(base_url=url, headers=bed.headers(), timeout=20, trust_env=False)
        service = bed.headers(Role.SERVICE)
        subject = notes.state.runtime.events.pseudonyms.patient("default", NOTE["patient"])
        order = {"id": "0192f0a0-0000-7000-8000-000000000001", "subjectRef": subject, "patient": NOTE["patient"]}
        assert http.post("/notes", json=NOTE).status_code == 201
        first = http.post("/internal/notes/erasures", json=order, headers=service).json()
        assert first["stores"]["note"] == 1
        assert http.post("/notes", json={**NOTE, "text": "She came back with a cough."}).status_code == 201
        assert http.post("/internal/notes/erasures", json=order, headers=service).json() == first
        assert len(http.post("/notes/search", json={"patient": NOTE["patient"]}).json()["items"]) == 1
        asked = {"ids": [order["id"], "0192f0a0-0000-7000-8000-000000000002"]}
        unknown = http.post("/internal/notes/erasures/unknown", json=asked, headers=service).json()
        assert unknown == {"ids": asked["ids"][1:]}
        http.close()


def entry(number: int) -> Erasure:
    return Erasure(
        f"0192f0a0-0000-7000-8000-{number:012}", f"pat-{number:032}", "P-1", "why", "issuer", "admin", utc_now()
    )


def test_the_journal_names_nobody_and_holds_each_erasure_once(tmp_path: Path) -> None:
    written = ErasureJournal(tmp_path / "sub" / "journal")
    for number in (1, 2, 1):
        written.add(entry(number))
    assert [one.id for one in written.entries()] == [entry(1).id, entry(2).id]
    assert "P-1" not in (tmp_path / "sub" / "journal").read_text()


def test_a_line_cut_short_by_a_crash_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    written = ErasureJournal(path)
    written.add(entry(1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert [one.id for one in written.entries()] == [entry(1).id]
    written.add(entry(2))
    assert [one.id for one in written.entries()] == [entry(1).id, entry(2).id]


def test_a_journal_that_cannot_be_read_stops_the_start(bed: TestBed) -> None:
    (bed.directory / "erasures.jsonl").write_text("no line of ours\n")
    with pytest.raises(ValueError, match="line 1 of the erasure journal"), open_audit(bed, erasure_services=()):
        pass


def test_nothing_is_erased_before_the_journal_holds_it(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("")
    with pytest.raises(Unavailable):
        ErasureJournal(tmp_path / "in-the-way" / "journal").add(entry(1))
