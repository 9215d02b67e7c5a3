"""HL7 v2 over real sockets: frames, acknowledgements, one store for each message, versions, and the log."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hl7.client
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from services.notes.app import create_app
from services.notes.hl7.documents import read_document
from services.notes.settings import Settings
from shared.auth import Role
from shared.database import migrate
from tests.services.notes.conftest import events_of, listening, notes_of, port_of
from tests.services.notes.hl7_messages import TEXT, mdm, oru
from tests.support.common import TestBed
from tests.support.mllp import END, START, code_of, faults_of, peer, read_ack


@pytest.fixture
def door(bed: TestBed, any_database: str) -> Iterator[TestClient]:
    """The service with its listener, on SQLite and PostgreSQL."""
    with listening(bed, any_database) as client:
        yield client


@pytest.fixture
def small(bed: TestBed, database: str) -> Iterator[TestClient]:
    """The service with a listener of small limits, on SQLite."""
    with listening(
        bed, database, mllp_max_message_bytes=2000, mllp_idle_timeout_s=0.5, mllp_max_connections=3
    ) as client:
        yield client


def ask(client: TestClient, *sent: str) -> list[str]:
    """Send messages over one connection, each after the answer to the one before; the codes of the answers."""
    with peer(port_of(client)) as other:
        return [code_of(other.ask(message)) for message in sent]


def refusal(client: TestClient, message: str) -> list[str]:
    """What the answer to a message names as wrong."""
    with peer(port_of(client)) as other:
        ack = other.ask(message)
    assert code_of(ack) == "AR"
    return faults_of(ack)


def test_a_document_is_stored_and_acknowledged(door: TestClient) -> None:
    with peer(port_of(door)) as other:
        ack = other.ask(mdm(control_id="CTRL-1"))
    assert (code_of(ack), ack["MSA.F2"]) == ("AA", "CTRL-1")
    (note,) = notes_of(door)
    assert (note["text"], note["type"], note["authored"]) == (TEXT, "11506-3", "2026-03-14T08:30:00Z")


def test_the_hl7_packages_client_is_answered(door: TestClient) -> None:
    with hl7.client.MLLPClient("127.0.0.1", port_of(door)) as client:
        answer = client.send_message(mdm(text="Fièvre 🤒", _18="UNICODE UTF-8"))
    assert answer.startswith(START)
    assert code_of(read_ack(answer.removeprefix(START).removesuffix(END))) == "AA"
    assert notes_of(door)[0]["text"] == "Fièvre 🤒"


def test_mllp_send_is_answered(door: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    file = tmp_path / "two.hl7"
    file.write_text((mdm() + mdm("T11", "M-2")).replace("\r", "\n"))
    arguments = ["mllp_send", "--loose", "-f", str(file), "-p", str(port_of(door)), "127.0.0.1"]
    monkeypatch.setattr("sys.argv", arguments)
    hl7.client.mllp_send()
    assert capfd.readouterr().out.count("MSA|AA|M-") == 2


def test_messages_are_answered_in_order_however_they_are_cut(door: TestClient) -> None:
    stream = b"".join(
        b"garbage" + START + mdm(control_id=f"M-{n}", number=f"D-{n}", text=f"Note {n}.").encode() + END
        for n in range(5)
    )
    with peer(port_of(door)) as other:
        for start in range(0, len(stream), 97):
            other.socket.sendall(stream[start : start + 97])
        answers = [read_ack(other.receive()) for _ in range(5)]
    assert [(code_of(ack), ack["MSA.F2"]) for ack in answers] == [("AA", f"M-{n}") for n in range(5)]
    assert len(notes_of(door)) == 5


def test_the_same_message_again_is_acknowledged_and_stored_once(door: TestClient) -> None:
    assert ask(door, mdm(), mdm(), mdm(_7="20260314100000+0000")) == ["AA", "AA", "AA"]
    assert len(notes_of(door)) == 1
    assert [event["subtype"] for event in events_of(door)][:1] == ["note-stored"]
    assert sum(event["type"] == "ingest" for event in events_of(door)) == 1


def test_the_same_message_from_many_at_once_is_stored_once(door: TestClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: ask(door, mdm()), range(16)))
    assert codes == [["AA"]] * 16
    assert len(notes_of(door)) == 1
    assert sum(event["type"] == "ingest" for event in events_of(door)) == 1


def test_another_message_under_a_control_id_is_rejected(door: TestClient) -> None:
    ask(door, mdm())
    assert refusal(door, mdm(text="Other.", number="D-2")) == ["MSH-10"]
    assert len(notes_of(door)) == 1


def test_another_senders_control_ids_are_its_own(door: TestClient) -> None:
    assert ask(door, mdm(), mdm(text="Other.", _3="CERNER"), mdm(text="Third.", _4="NORTH")) == ["AA"] * 3
    assert len(notes_of(door)) == 3


def test_a_message_after_its_edit_is_still_the_same_message(door: TestClient) -> None:
    edit = mdm("T08", "M-2", text="Edited.", edited="202603140900+0000")
    assert ask(door, mdm(), edit, mdm(), edit) == ["AA"] * 4
    assert [note["status"] for note in notes_of(door)] == ["superseded", "current"]


def test_an_edit_takes_the_place_of_its_document(door: TestClient) -> None:
    first = mdm("T08", "M-2", text="Edited.", edited="202603140900+0000")
    second = mdm("T08", "M-3", text="Edited twice.", edited="202603141000+0000")
    assert ask(door, mdm(), first, second) == ["AA"] * 3
    notes = notes_of(door)
    assert [(note["text"], note["status"]) for note in notes] == [
        (TEXT, "superseded"), ("Edited.", "superseded"), ("Edited twice.", "current")
    ]  # fmt: skip
    assert notes[0]["supersededBy"] == notes[1]["id"]


def test_a_replacement_takes_the_place_of_its_parent(door: TestClient) -> None:
    new = mdm("T10", "M-2", number="DOC-2", parent="DOC-1", text="New.", authored="202603140900+0000")
    assert ask(door, mdm(), new, new.replace("|M-2|", "|M-3|")) == ["AA"] * 3
    assert [(note["text"], note["status"]) for note in notes_of(door)] == [(TEXT, "superseded"), ("New.", "current")]


def test_an_addendum_stands_beside_its_parent(door: TestClient) -> None:
    added = mdm("T06", "M-2", number="DOC-2", parent="DOC-1", text="Addendum.", authored="202603140900+0000")
    assert ask(door, mdm(), added) == ["AA", "AA"]
    first, second = notes_of(door)
    assert (first["status"], second["status"], second["appendsTo"]) == ("current", "current", first["id"])


def test_a_cancelled_document_is_no_evidence(door: TestClient, bed: TestBed) -> None:
    assert ask(door, mdm(), mdm("T11", "M-2"), mdm("T11", "M-3")) == ["AA"] * 3
    assert [note["status"] for note in notes_of(door)] == ["cancelled"]
    question = {"patient": "P-1001"}
    answer = door.post("/internal/notes/evidence", json=question, headers=bed.headers(Role.SERVICE))
    assert answer.json() == {"known": True, "items": []}


def test_a_corrected_report_takes_the_place_of_the_first(door: TestClient) -> None:
    corrected = oru("M-2", text="Corrected.", status="C", reported="202603140930+0000")
    assert ask(door, oru(status="P"), corrected, oru("M-3", order="ORD-2", text="Another.")) == ["AA"] * 3
    assert sorted((note["text"], note["status"]) for note in notes_of(door)) == [
        ("Another.", "current"), ("Corrected.", "current"), (TEXT, "superseded")
    ]  # fmt: skip


def test_a_report_that_comes_late_does_not_take_the_place_of_a_newer_one(door: TestClient) -> None:
    ask(door, oru(reported="202603140930+0000", text="Final."))
    assert refusal(door, oru("M-2", reported="202603140900+0000", text="Preliminary.", status="P")) == ["OBR-22"]
    assert [(note["text"], note["status"]) for note in notes_of(door)] == [("Final.", "current")]


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (mdm("T08", "M-2", number="UNKNOWN"), "TXA-12"),
        (mdm("T11", "M-2", number="UNKNOWN"), "TXA-12"),
        (mdm("T10", "M-2", number="DOC-2", parent="UNKNOWN"), "TXA-13"),
        (mdm("T06", "M-2", number="DOC-2", parent="UNKNOWN"), "TXA-13"),
        (mdm("T02", "M-2", text="Other."), "TXA-12"),
        (mdm("T08", "M-2", text="Earlier.", authored="202603140700+0000"), "TXA-6"),
        (mdm("T08", "M-2", patient="P-2", text="Edited."), "PID-3"),
        (mdm("T11", "M-2", patient="P-2"), "PID-3"),
        (mdm("T11", "M-2", _3="OTHER"), "TXA-12"),
    ],
)
def test_a_version_that_cannot_be_is_rejected_and_changes_nothing(
    bed: TestBed, database: str, message: str, field: str
) -> None:
    with listening(bed, database) as client:
        ask(client, mdm())
        assert refusal(client, message) == [field]
        assert [note["status"] for note in notes_of(client)] == ["current"]
        # A rejected message leaves its control id free.
        assert ask(client, mdm("T02", "M-2", number="DOC-9", text="Third.")) == ["AA"]


def test_a_cancelled_document_cannot_come_back_by_the_same_text(door: TestClient) -> None:
    ask(door, mdm(), mdm("T11", "M-2"))
    assert refusal(door, mdm(control_id="M-3")) == ["OBX-5"]
    assert refusal(door, mdm("T08", "M-4", text="Edited.")) == ["TXA-12"]


def test_a_document_that_was_replaced_cannot_be_cancelled(door: TestClient) -> None:
    ask(door, mdm(), mdm("T10", "M-2", number="DOC-2", parent="DOC-1", text="New."))
    assert refusal(door, mdm("T11", "M-3")) == ["TXA-12"]


def test_enhanced_mode_commits_first_and_then_accepts(small: TestClient) -> None:
    with peer(port_of(small)) as other:
        other.send(mdm(_15="AL", _16="AL"), mdm(control_id="M-2", patient="", _15="AL", _16="AL"))
        codes = [code_of(read_ack(other.receive())) for _ in range(3)]
    assert codes == ["CA", "AA", "CR"]


def test_two_first_versions_at_once_leave_one_standing(door: TestClient) -> None:
    reports = [oru(f"M-{n}", text=f"Version {n}.", reported="202603140830+0000") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda report: ask(door, report), reports)) == [["AA"]] * 6
    statuses = sorted(note["status"] for note in notes_of(door))
    assert statuses == ["current"] + ["superseded"] * 5


def test_an_edit_overtaken_by_another_door_is_an_error_to_retry(
    small: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = mdm("T08", "M-2", text="Edited.", edited="202603140900+0000")
    ask(small, mdm())
    with monkeypatch.context() as patch:
        patch.setattr("services.notes.store.end", lambda *_: False)
        assert ask(small, edit, mdm("T11", "M-3")) == ["AE", "AE"]
    assert ask(small, edit, mdm("T11", "M-3")) == ["AA", "AA"]


def test_a_sender_that_wants_no_answer_gets_none(small: TestClient) -> None:
    with peer(port_of(small)) as other:
        other.send(mdm(_15="NE", _16="NE"))
        assert other.ask(mdm(control_id="M-2", number="D-2", text="Other."))["MSA.F2"] == "M-2"
    assert len(notes_of(small)) == 2


def test_an_acknowledgement_is_never_acknowledged(small: TestClient) -> None:
    with peer(port_of(small)) as other:
        other.send("MSH|^~\\&|A|B|C|D|2026||ACK^T02^ACK|9|P|2.5\rMSA|AA|1\r")
        assert other.ask(mdm())["MSA.F2"] == "M-1"


def test_a_message_too_long_is_rejected_and_the_connection_closed(small: TestClient) -> None:
    with peer(port_of(small)) as other:
        other.send(mdm(control_id="LONG", text="x" * 500_000))
        ack = read_ack(other.receive())
        assert (code_of(ack), ack["MSA.F2"], faults_of(ack)) == ("AR", "LONG", ["MSH"])
        assert other.receive() is None


def test_bytes_without_a_header_are_answered(small: TestClient) -> None:
    with peer(port_of(small)) as other:
        ack = other.ask("Mrs Secret has a fever")
        assert (code_of(ack), ack["MSA.F2"], faults_of(ack)) == ("AR", "", ["MSH"])
        assert code_of(other.ask(mdm())) == "AA"


def test_a_silent_connection_is_closed(small: TestClient) -> None:
    with peer(port_of(small)) as other:
        other.socket.sendall(START + b"MSH|half a mess")
        assert other.receive() is None


def test_one_connection_too_many_is_closed_and_the_others_served(small: TestClient) -> None:
    with peer(port_of(small)) as one, peer(port_of(small)) as two, peer(port_of(small)) as three:
        assert [code_of(other.ask(mdm())) for other in (one, two, three)] == ["AA"] * 3
        with peer(port_of(small)) as fourth:
            assert fourth.receive() is None
        assert code_of(one.ask(mdm())) == "AA"


def test_many_connections_are_served_at_once(door: TestClient) -> None:
    def converse(number: int) -> list[str]:
        sent = (mdm(control_id=f"{number}-{n}", number=f"{number}-{n}", text=f"Note {number} {n}.") for n in range(3))
        return ask(door, *sent)

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(converse, range(20))) == [["AA"] * 3] * 20
    assert len(notes_of(door)) == 60


def test_a_store_that_does_not_answer_is_an_error_to_retry(small: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise sa.exc.OperationalError("INSERT Mrs Secret", {}, Exception("gone"))

    with peer(port_of(small)) as other:
        with monkeypatch.context() as patch:
            patch.setattr("services.notes.usecases.messages.claim", fails)
            ack = other.ask(mdm())
        assert (code_of(ack), faults_of(ack)) == ("AE", ["MSH"])
        assert "Secret" not in str(ack)
        assert code_of(other.ask(mdm())) == "AA"


@pytest.mark.postgres
def test_a_database_that_is_gone_is_an_error_and_its_return_an_acceptance(
    bed: TestBed, postgres_server: str, postgres_url: str
) -> None:
    name = sa.engine.make_url(postgres_url).database
    in_schema = sa.engine.make_url(postgres_url).update_query_dict({"options": "-csearch_path=notes"})
    url = in_schema.render_as_string(hide_password=False)
    migrate(url, "notes")
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with listening(bed, url) as client, admin.connect() as connection, peer(port_of(client)) as other:
        assert code_of(other.ask(mdm())) == "AA"
        connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        assert code_of(other.ask(mdm(control_id="M-2", number="D-2", text="Other."))) == "AE"
        assert code_of(other.ask(mdm(control_id="M-3", patient=""))) == "AE"
        connection.execute(sa.text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
        assert code_of(other.ask(mdm(control_id="M-2", number="D-2", text="Other."))) == "AA"
        assert len(notes_of(client)) == 2
    admin.dispose()


def test_acceptance_means_committed(small: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("the database is gone")

    with peer(port_of(small)) as other, monkeypatch.context() as patch:
        patch.setattr("sqlalchemy.orm.session.SessionTransaction.commit", fails)
        assert code_of(other.ask(mdm())) == "AE"
        assert code_of(other.ask(mdm(control_id="M-2", patient="", _15="AL"))) == "CE"
    assert notes_of(small) == []


def test_the_sender_is_the_actor_and_events_tell_neither_patient_nor_content(small: TestClient) -> None:
    ask(small, mdm(), mdm("T11", "M-2"))
    refusal(small, mdm(control_id="M-3", patient="P-SECRET\\T\\" + "x" * 64, text="Mrs Secret"))
    events = events_of(small)
    assert [event["subtype"] for event in events] == ["note-stored", "note-cancelled", "note-refused"]
    assert {(event["actor"]["issuer"], event["actor"]["subject"]) for event in events} == {("mllp", "EPIC|GENERAL")}
    assert events[2]["details"] == {"status": 422, "fields": ["PID-3"]}
    told = json.dumps(events).lower()
    assert "p-1001" not in told
    assert "secret" not in told
    assert "cough" not in told


def test_no_answer_quotes_what_was_sent(small: TestClient) -> None:
    secret = mdm(patient=" SECRET", kind="SECRET", authored="SECRET", number="", text="%PDF-SECRET", _11="SECRET")
    with peer(port_of(small)) as other:
        for message in (secret, secret.replace("|SECRET|2.5.1", "|P|2.5.1")):
            assert b"MSA|AR" in (answer := _frame(other, message))
            assert b"SECRET" not in answer.replace(b"|SECRET|2.5.1", b"")


def _frame(other: Any, message: str) -> bytes:
    other.send(message)
    frame: bytes = other.receive()
    return frame


def test_a_taken_port_is_named_with_its_setting(door: TestClient, bed: TestBed, database: str) -> None:
    app = create_app(Settings(database_url=database, mllp_port=port_of(door)), bed.common)
    with pytest.raises(RuntimeError, match="CONSILIUM_NOTES_MLLP_PORT"), TestClient(app):
        pass


def test_the_service_is_ready_when_its_listener_is(small: TestClient, bed: TestBed, database: str) -> None:
    assert small.get("/readyz").status_code == 200
    app = create_app(Settings(database_url=database, mllp_port=0), bed.common)
    assert app.state.readiness() == ("mllp listener",)


def test_without_the_listener_the_web_part_is_ready(client: TestClient) -> None:
    assert client.app.state.mllp_port is None  # type: ignore[attr-defined]  # an ASGI app by type, FastAPI by make
    assert client.get("/readyz").status_code == 200


def test_a_stop_closes_idle_connections_at_once(bed: TestBed, database: str) -> None:
    with ExitStack() as connected:
        with listening(bed, database) as client:
            other = connected.enter_context(peer(port_of(client)))
            assert code_of(other.ask(mdm())) == "AA"
        assert other.receive() is None


def test_requests_are_answered_while_messages_are_worked_on(door: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slowly(*arguments: Any) -> Any:
        entered.set()
        assert leave.wait(20)
        return read_document(*arguments)

    monkeypatch.setattr("services.notes.mllp.read_document", slowly)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, door, mdm())
        assert entered.wait(20)
        assert door.get("/healthz").status_code == 200
        leave.set()
        assert answer.result() == ["AA"]
