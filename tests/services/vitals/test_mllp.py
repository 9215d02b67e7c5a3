"""Vital signs by HL7 v2 over real sockets: stored before they are acknowledged, once, and what is left out is named."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hl7.client
import pytest
from fastapi.testclient import TestClient

from shared.auth import Role
from tests.services.vitals.conftest import Start, events_of, make_sample, send, stored
from tests.services.vitals.hl7_messages import MONITOR, obx, oru
from tests.support.common import TestBed
from tests.support.mllp import END, START, code_of, faults_of, peer, read_ack


@pytest.fixture
def door(start: Start, any_database: str) -> TestClient:
    """The service with its listener, on SQLite and PostgreSQL."""
    return start(any_database, mllp_enabled=True, mllp_port=0)


def port_of(client: TestClient) -> int:
    port: int = client.app.state.mllp_port  # type: ignore[attr-defined]  # an ASGI app by type, FastAPI by make
    return port


def ask(client: TestClient, *messages: str) -> list[Any]:
    """Send messages over one connection, each after the answer to the one before; the answers."""
    with peer(port_of(client)) as other:
        return [other.ask(message) for message in messages]


def codes(answers: Sequence[Any]) -> list[str]:
    return [code_of(answer) for answer in answers]


def values(client: TestClient, patient: str = "P-1001") -> list[float]:
    return [sample["value"] for sample in stored(client, patient)]


def ingests(client: TestClient) -> list[tuple[str, dict[str, Any]]]:
    return [(e["subtype"], e["details"]) for e in events_of(client) if e["type"] == "ingest"]


def test_vital_signs_are_stored_and_acknowledged(door: TestClient) -> None:
    (ack,) = ask(door, oru(MONITOR, control_id="CTRL-1"))
    assert (code_of(ack), ack["MSA.F2"], len(ack)) == ("AA", "CTRL-1", 2)
    assert sorted((s["code"], s["value"], s["device"]) for s in stored(door)) == [
        ("59408-5", 97, "SAT-3 1122334455667788"),
        ("8310-5", 37, "MON-12 00A0370027000143"),
        ("8480-6", 121, "MON-12 00A0370027000143"),
        ("8867-4", 68, "MON-12 00A0370027000143"),
    ]
    assert ingests(door) == [("vitals-stored", {"accepted": 4, "duplicates": 0, "late": True})]
    (event,) = [event for event in events_of(door) if event["type"] == "ingest"]
    assert (event["actor"]["issuer"], event["actor"]["subject"]) == ("mllp", "EPIC|GENERAL")


def test_the_hl7_packages_client_is_answered(door: TestClient) -> None:
    with hl7.client.MLLPClient("127.0.0.1", port_of(door)) as client:
        answer = client.send_message(oru())
    assert code_of(read_ack(answer.removeprefix(START).removesuffix(END))) == "AA"
    assert values(door) == [71]


def test_the_same_message_again_is_acknowledged_and_stored_once(door: TestClient) -> None:
    bad = oru(obx(), obx(status="X"))
    answers = ask(door, bad, bad, oru(obx(), obx(status="X"), _7="20260314100000+0000"))
    assert [(code_of(ack), faults_of(ack)) for ack in answers] == [("AA", ["OBX-11"])] * 3
    assert values(door) == [71]
    assert [subtype for subtype, _ in ingests(door)] == ["vitals-stored", "vitals-rejected"]


def test_the_same_message_from_many_at_once_is_stored_once(door: TestClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: codes(ask(door, oru())), range(16)))
    assert found == [["AA"]] * 16
    assert values(door) == [71]
    assert [subtype for subtype, _ in ingests(door)] == ["vitals-stored"]


def test_another_message_under_a_control_id_is_refused(door: TestClient) -> None:
    first, second = ask(door, oru(), oru(obx("72")))
    assert (code_of(first), code_of(second), faults_of(second)) == ("AA", "AR", ["MSH-10"])
    assert codes(ask(door, oru(obx("72"), _3="OTHER"))) == ["AA"]
    assert values(door) == [71, 72]


def test_what_cannot_be_taken_is_named_as_a_warning_beside_what_is_stored(door: TestClient) -> None:
    (ack,) = ask(door, oru(obx(), obx("nonsense"), obx(unit="furlong"), obx("64", at="20260314083100+0000")))
    assert code_of(ack) == "AA"
    found = [(str(err[2]), str(err[4])) for err in ack.segments("ERR")]
    assert found == [("OBX^2^5", "W"), ("OBX^3^6", "W")]
    assert values(door) == [71, 64]
    assert ingests(door)[1] == ("vitals-rejected", {"rejected": 2, "lines": 4, "fields": {"OBX-5": 1, "OBX-6": 1}})


def test_answers_and_events_quote_nothing_that_was_sent(door: TestClient) -> None:
    (ack,) = ask(door, oru(obx(), obx("SECRET"), obx(unit="SECRET"), patient="SECRET-1"))
    assert "SECRET" not in str(ack)
    assert "SECRET" not in str(events_of(door))


def test_a_message_of_which_nothing_can_be_taken_is_refused(door: TestClient) -> None:
    (ack,) = ask(door, oru(obx(status="D"), obx(status="W"), obx(status="X")))
    assert (code_of(ack), faults_of(ack)) == ("AR", ["OBX-11"] * 3)
    assert [str(err[4]) for err in ack.segments("ERR")] == ["E"] * 3
    assert ingests(door) == [("vitals-refused", {"status": 422, "fields": ["OBX-11"]})]
    # A refused message leaves its control id free.
    assert codes(ask(door, oru())) == ["AA"]


def test_of_many_faults_some_are_named_and_the_others_counted(door: TestClient) -> None:
    (ack,) = ask(door, oru(obx(), *[obx("x")] * 30))
    assert faults_of(ack) == ["OBX-5"] * 20 + ["OBX"]
    assert "and 10 others" in str(list(ack.segments("ERR"))[-1])


def test_an_enhanced_sender_is_warned_in_the_answer_that_it_wants(door: TestClient) -> None:
    (ack,) = ask(door, oru(obx(), obx("x"), _15="AL", _16="NE"))
    assert (code_of(ack), faults_of(ack)) == ("CA", ["OBX-5"])


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (oru(_9="MDM^T02"), "MSH-9"),
        (oru(_9="ORU^R30"), "MSH-9"),
        (oru(_11="T"), "MSH-11"),
        (oru(_10=""), "MSH-10"),
        (oru(patient=""), "PID-3"),
        (oru(obx().replace("8867-4", "11273-0")), "OBX-3"),
    ],
)
def test_a_message_that_is_not_for_this_door_is_refused(door: TestClient, message: str, field: str) -> None:
    (ack,) = ask(door, message)
    assert (code_of(ack), faults_of(ack)) == ("AR", [field])
    assert stored(door) == []


def test_a_correction_takes_the_place_of_what_was_sent(door: TestClient, bed: TestBed) -> None:
    def frozen() -> Any:
        question = {"patient": "P-1001"}
        answer = door.post("/internal/vitals/evidence", json=question, headers=bed.headers(Role.SERVICE))
        return answer.json()["items"][0]["digest"]

    ask(door, oru())
    before = frozen()
    ask(door, oru(obx("17", status="C"), control_id="M-2"))
    assert values(door) == [17]
    assert frozen() != before
    assert ingests(door)[1] == (
        "vitals-stored", {"accepted": 1, "duplicates": 0, "late": True, "corrections": 1}
    )  # fmt: skip


def test_what_was_corrected_does_not_come_back(door: TestClient) -> None:
    ask(door, oru(), oru(obx("17", status="C"), control_id="M-2"), oru(control_id="M-3"))
    assert values(door) == [17]
    send(door, [make_sample(device="MON-7 ICU")])
    assert values(door) == [17]


def test_a_correction_can_be_corrected_back(door: TestClient) -> None:
    answers = ask(door, oru(), oru(obx("17", status="C"), control_id="M-2"), oru(obx(status="C"), control_id="M-3"))
    assert codes(answers) == ["AA"] * 3
    assert values(door) == [71]
    assert ingests(door)[-1] == (
        "vitals-stored", {"accepted": 0, "duplicates": 1, "late": True, "corrections": 1}
    )  # fmt: skip


def test_a_correction_leaves_other_devices_and_times_alone(door: TestClient) -> None:
    others = (obx("60", device="MON-8"), obx("61", at="20260314083100+0000"))
    ask(door, oru(obx(), *others), oru(obx("17", status="C"), control_id="M-2"))
    assert sorted(values(door)) == [17, 60, 61]


def test_a_correction_of_what_never_came_is_stored(door: TestClient) -> None:
    assert codes(ask(door, oru(obx(status="C")))) == ["AA"]
    assert values(door) == [71]


def test_a_store_that_fails_is_answered_so_that_the_sender_sends_again(
    door: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Any:
        raise RuntimeError("quoted patient data")

    with monkeypatch.context() as patch:
        patch.setattr("services.vitals.usecases.store.add_corrections", fails)
        (ack,) = ask(door, oru())
    assert (code_of(ack), stored(door)) == ("AE", [])
    assert "quoted" not in str(ack)
    assert codes(ask(door, oru())) == ["AA"]
    assert values(door) == [71]


def test_the_door_is_closed_unless_a_setting_opens_it(client: TestClient) -> None:
    assert client.app.state.mllp_port is None  # type: ignore[attr-defined]  # an ASGI app by type, FastAPI by make
    assert client.get("/readyz").status_code == 200


@pytest.fixture
def training(start: Start, database: str) -> TestClient:
    """A service that takes messages of training systems too, as many examples are."""
    return start(database, mllp_enabled=True, mllp_port=0, mllp_processing_ids="PT")


REPORTS = {
    "LAB-ORU-1.hl7": ("AR", ["OBX-3"]),  # blood counts
    "LRI_2.0-NG_CBC_Typ_Message.hl7": ("CR", ["OBX-3"]),  # blood counts
    "ORU-R01-01.hl7": ("CR", ["OBX-2", "OBX-11"]),  # a heart rate as a reference, another that is pending
    "ORU-multiline-short.hl7": ("AR", ["OBX-3"]),  # an echocardiogram
}
"""The observation reports among the examples; none has a vital sign with a value."""


def test_every_example_is_answered(training: TestClient, hl7v2_examples: Path) -> None:
    for path in sorted(hl7v2_examples.glob("*.hl7")):
        with peer(port_of(training)) as other:
            other.send(path.read_bytes())
            if path.name == "ADT-A40-01.hl7":  # MSH-15 and MSH-16 say NE: no answer is wanted
                continue
            ack = read_ack(other.receive())
        code, faults = REPORTS.get(path.name, (code_of(ack), None))
        assert code_of(ack) == code
        assert faults in (None, faults_of(ack)), path.name
        assert code[1] == "R"


def test_an_example_with_a_value_is_taken(training: TestClient, hl7v2_examples: Path) -> None:
    sent = (hl7v2_examples / "ORU-R01-01.hl7").read_text()
    filled = sent.replace("result1|1|27~25||||||I", "result1|1|72|beats/min^^ISO|||||F|||20120301083000-0215")
    assert filled != sent
    (ack,) = ask(training, filled.replace("\n", "\r"))
    assert (code_of(ack), faults_of(ack)) == ("CA", ["OBX-2"])
    assert values(training, "14") == [72]
