"""Which acknowledgements a sender is owed (HL7 2.7 section 2.9, table 0155), and how the `hl7` package reads them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import hl7
import pytest

from shared.hl7v2.acks import Verdict, acknowledgement, owed
from shared.hl7v2.header import UNREADABLE, Header, read_header
from shared.hl7v2.problems import Fault, Kind
from tests.support.mllp import faults_of, msh

NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)
A, E, R = Verdict.ACCEPTED, Verdict.ERROR, Verdict.REJECTED
FAULT = Fault("PID-3", "is empty", "send a | b ^ c & d ~ e \\ f", Kind.MISSING)


def header(**fields: str) -> Header:
    return read_header(msh("MDM^T02^MDM_T02", "CTRL-7", **fields).encode("latin-1"))


@pytest.mark.parametrize(
    ("accept", "application", "stored", "failed", "rejected"),
    [
        ("", "", ["AA"], ["AE"], ["AR"]),
        ("AL", "NE", ["CA"], ["CE"], ["CR"]),
        ("AL", "", ["CA"], ["CE"], ["CR"]),
        ("AL", "AL", ["CA", "AA"], ["CE"], ["CR"]),
        ("AL", "ER", ["CA"], ["CE"], ["CR"]),
        ("AL", "SU", ["CA", "AA"], ["CE"], ["CR"]),
        ("ER", "NE", [], ["CE"], ["CR"]),
        ("ER", "AL", ["AA"], ["CE"], ["CR"]),
        ("SU", "NE", ["CA"], [], []),
        ("SU", "AL", ["CA", "AA"], ["AE"], ["AR"]),
        ("NE", "AL", ["AA"], ["AE"], ["AR"]),
        ("", "AL", ["AA"], ["AE"], ["AR"]),
        ("NE", "ER", [], ["AE"], ["AR"]),
        ("NE", "SU", ["AA"], [], []),
        ("NE", "NE", [], [], []),
        (" ", "", ["AA"], ["AE"], ["AR"]),
        ("XX", "NE", ["CA"], ["CE"], ["CR"]),
    ],
)
def test_a_sender_gets_what_it_asked_for(
    accept: str, application: str, stored: list[str], failed: list[str], rejected: list[str]
) -> None:
    asked = header(_15=accept, _16=application)
    assert [owed(asked, verdict) for verdict in (A, E, R)] == [stored, failed, rejected]


def read(head: Header, code: str = "AR", *faults: Fault) -> Any:
    return hl7.parse(acknowledgement(head, code, faults, NOW, "OWN-1").decode("latin-1"))


def test_an_acknowledgement_goes_back_to_the_sender_under_its_control_id() -> None:
    ack = read(header(_3="EPIC^1.2^ISO", _18="8859/1"), "AA")
    names = ("MSH.F3", "MSH.F4", "MSH.F5.R1.C2", "MSH.F6", "MSH.F7", "MSH.F10", "MSH.F11", "MSH.F12", "MSH.F18")
    told = [ack[name] for name in names]
    assert told == ["CONSILIUM", "GENERAL", "1.2", "GENERAL", "20260315120000+0000", "OWN-1", "P", "2.5.1", "8859/1"]
    assert [ack[f"MSH.F9.R1.C{n}"] for n in (1, 2, 3)] == ["ACK", "T02", "ACK"]
    assert (ack["MSA.F1"], ack["MSA.F2"]) == ("AA", "CTRL-7")


def test_the_control_id_comes_back_byte_by_byte() -> None:
    sent = msh("MDM^T02", "C\xe9\\F\\\xff").encode("latin-1")
    assert b"MSA|AA|C\xe9\\F\\\xff\r" in acknowledgement(read_header(sent), "AA", (), NOW, "1")


def test_err_names_field_code_and_fix() -> None:
    ack = read(header(), "AR", FAULT, Fault("MSH", "is odd", "mend it", Kind.SEQUENCE))
    assert faults_of(ack) == ["PID-3", "MSH"]
    assert [ack[f"ERR.F3.R1.C{n}"] for n in (1, 2, 3)] == ["101", "Required field missing", "HL70357"]
    assert ack["ERR.F4"] == "E"
    assert ack["ERR.F8"] == f"PID-3 is empty: {FAULT.fix}"


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_beside_an_accepting_code_a_fault_is_a_warning_about_its_segment(code: str) -> None:
    ack = read(header(), code, Fault("OBX-5", "is empty", "send a value", sequence=3))
    assert ([ack[f"ERR.F2.R1.C{n}"] for n in (1, 2, 3)], ack["ERR.F4"]) == (["OBX", "3", "5"], "W")


@pytest.mark.parametrize(
    ("version", "old_err", "note"),
    [("2.3", True, True), ("2.4", True, True), ("2.5", False, True), ("2.7", False, False)],
)
def test_older_versions_find_the_fault_where_they_look(version: str, old_err: bool, note: bool) -> None:
    ack = read(header(_12=version), "AR", FAULT)
    assert (ack["ERR.F1.R1.C1"] == "PID") is old_err
    assert str(ack["MSA.F3"]).startswith("PID-3 is empty") is note


def test_other_separators_are_kept() -> None:
    sent = read_header(b"MSH$*%!@$A$B$C$D$2026$$MDM*T02$C-1$P$2.5")
    ack = read(sent, "AR", FAULT)
    assert (ack["MSA.F2"], ack["MSH.F9.R1.C1"]) == ("C-1", "ACK")
    assert ack["ERR.F8"] == f"PID-3 is empty: {FAULT.fix}"


def test_a_header_that_could_not_be_read_is_answered_in_the_usual_separators() -> None:
    ack = read(UNREADABLE, "AR", FAULT)
    assert (ack["MSA.F1"], ack["MSA.F2"]) == ("AR", "")


def test_without_an_escape_character_separators_in_our_words_become_spaces() -> None:
    sent = acknowledgement(read_header(b"MSH|^~|A|B|||2026||MDM^T02|C-1|P|2.5"), "AR", (FAULT,), NOW, "1")
    assert sent.decode().split("\r")[2].endswith("send a   b   c & d   e \\ f")
