"""What a message says of its document: whose, when, which type, which text (HL7 2.7 chapters 7 and 9, table 0270)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from services.notes.hl7.documents import Document, read_document
from services.notes.hl7.requests import read_act
from services.notes.settings import Settings
from shared.hl7v2.header import read_header
from shared.hl7v2.message import read_message
from shared.hl7v2.problems import RefusedMessage
from tests.services.notes.conftest import NOW
from tests.services.notes.hl7_messages import TEXT, mdm, oru


def document(message: str, **settings: Any) -> Document:
    content = message.encode()
    header = read_header(content)
    site = Settings(database_url="sqlite://", **settings)
    act = read_act(header, site)
    return read_document(read_message(content, header, "UNICODE UTF-8"), act, site, NOW)


def faults(message: str) -> list[str]:
    with pytest.raises(RefusedMessage) as refusal:
        document(message)
    assert all(fault.fix for fault in refusal.value.faults)
    return [fault.field for fault in refusal.value.faults]


def text_of(message: str) -> str:
    note = document(message).note
    assert note
    return note.text


def type_of(message: str) -> str:
    note = document(message).note
    assert note
    return note.type


def authored_of(message: str, **settings: Any) -> datetime:
    note = document(message, **settings).note
    assert note
    return note.authored


def test_a_document_message_is_a_note() -> None:
    found = document(mdm())
    assert found.note
    assert (found.patient, found.note.type, found.note.text) == ("P-1001", "11506-3", TEXT)
    assert found.note.authored == datetime(2026, 3, 14, 8, 30, tzinfo=UTC)


def test_each_segment_and_each_repetition_is_a_line() -> None:
    assert text_of(mdm(text=["One.~Two.", "Three."])) == "One.\nTwo.\nThree."


@pytest.mark.parametrize("value_type", ["TX", "FT", "ST"])
def test_narrative_value_types_are_text(value_type: str) -> None:
    assert text_of(mdm(value_type=value_type, text=r"One.\.br\Two.")) == "One.\nTwo."


@pytest.mark.parametrize(
    "value",
    [
        "^TEXT^PLAIN^A^Fever.",
        "^TEXT^^A^Fever.",
        "^text^plain^Base64^" + base64.b64encode(b"Fever.").decode(),
        "^TX^^Hex^" + b"Fever.".hex(),
    ],
)
def test_encapsulated_text_is_text(value: str) -> None:
    assert text_of(mdm(value_type="ED", text=value)) == "Fever."


@pytest.mark.parametrize(
    "value", ["^application^pdf^Base64^JVBERi0x", "^TEXT^HTML^A^<p>", "^IM^JPEG^Base64^/9j/", "^^^^"]
)
def test_other_encapsulated_data_is_no_text(value: str) -> None:
    assert faults(mdm(value_type="ED", text=value)) == ["OBX-2"]


RTF = rb"{\rtf1\ansi Fi\'e8vre.\par Rales.}"


@pytest.mark.parametrize("kind", ["TEXT^RTF", "AP^RTF", "application^rtf", "RTF^"])
@pytest.mark.parametrize("encoding", ["Base64", "Hex"])
def test_encapsulated_rich_text_is_read_as_its_words(kind: str, encoding: str) -> None:
    data = base64.b64encode(RTF).decode() if encoding == "Base64" else RTF.hex()
    assert text_of(mdm(value_type="ED", text=f"^{kind}^{encoding}^{data}")) == "Fièvre.\nRales."


@pytest.mark.parametrize("value_type", ["TX", "FT"])
def test_rich_text_as_text_is_read_as_its_words_over_several_segments(value_type: str) -> None:
    escaped = RTF.decode().replace("\\", "\\E\\")
    assert text_of(mdm(value_type=value_type, text=[escaped[:30], escaped[30:]])) == "Fièvre.\nRales."


def test_rich_text_that_was_cut_off_is_refused() -> None:
    data = base64.b64encode(RTF[:-1]).decode()
    assert faults(mdm(value_type="ED", text=f"^TEXT^RTF^Base64^{data}")) == ["OBX-5"]


def test_encapsulated_text_that_cannot_be_decoded_is_refused() -> None:
    assert faults(mdm(value_type="ED", text="^TEXT^PLAIN^Base64^%%%")) == ["OBX-5"]
    assert faults(mdm(value_type="ED", text="^TEXT^PLAIN^Base64^/w==")) == ["OBX-5"]


@pytest.mark.parametrize(
    ("code", "loinc"),
    [("CN", "11488-4"), ("DI", "18748-4"), ("DS", "18842-5"), ("ED", "34111-5"), ("HP", "34117-2"), ("OP", "11504-8"),
     ("PN", "28570-0"), ("PR", "11506-3"), ("SP", "11526-1"), ("TS", "67856-5"), ("34111-5", "34111-5"),
     ("34111-5^ED note^LN", "34111-5"), ("ED^Report^L^34130-5^Hospital^LN", "34130-5")],
)  # fmt: skip
def test_document_types_of_table_0270_and_loinc_are_known(code: str, loinc: str) -> None:
    assert type_of(mdm(kind=code)) == loinc


def test_a_loinc_code_of_the_observation_is_more_than_the_document_type() -> None:
    coded = mdm().replace("OBX|1|TX||", "OBX|1|TX|11488-4^Consult note^LN|")
    assert type_of(coded) == "11488-4"


@pytest.mark.parametrize("code", ["AR", "CD", "XX", "", "8867-4^Heart rate^LN", "34111-6^Wrong^LN", "34111-5^X^L"])
def test_other_document_types_are_refused(code: str) -> None:
    assert faults(mdm(kind=code)) == ["TXA-2"]


def test_the_time_is_when_the_text_was_written() -> None:
    activity = mdm(authored="").replace("|PR|TX||", "|PR|TX|202603140100+0000|")
    assert authored_of(activity).hour == 1
    both = mdm(authored="202603140200+0000").replace("|PR|TX||", "|PR|TX|202603140100+0000|")
    assert authored_of(both).hour == 2
    edited = mdm("T08", edited="202603140900+0000~202603141000+0000")
    assert authored_of(edited).hour == 10
    assert authored_of(mdm("T02", edited="202603141000+0000")).hour == 8


def test_a_time_without_zone_needs_the_messages_or_the_sites() -> None:
    local = mdm(authored="202603140830", _7="202603140900")
    assert faults(local) == ["TXA-6"]
    assert authored_of(mdm(authored="202603140830", _7="202603140900-0500")).hour == 13
    assert authored_of(local, mllp_time_zone="Europe/Berlin").hour == 7


def test_a_zone_that_is_none_is_no_setting() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Settings(database_url="sqlite://", mllp_time_zone="Berlin/Europe")


@pytest.mark.parametrize("patient", ["", " P-1", "x" * 65, "P\\E\\1"])
def test_an_impossible_patient_is_refused(patient: str) -> None:
    assert faults(mdm(patient=patient)) == ["PID-3"]


def test_the_first_identifier_is_the_patients() -> None:
    assert document(mdm(patient="P-9^^^A^MR~P-10")).patient == "P-9"


def test_all_that_is_wrong_is_named_at_once() -> None:
    wrong = mdm(patient="", number="", authored="2026", kind="??", text="")
    assert faults(wrong) == ["PID-3", "TXA-12", "TXA-6", "TXA-2", "OBX-5"]


@pytest.mark.parametrize("text", ["", "   ", "%PDF-1.7", "{\\E\\rtf1 Fever", "a\\X00\\b"])
def test_text_that_is_no_text_is_refused(text: str) -> None:
    assert faults(mdm(text=text)) == ["OBX-5"]


def test_a_text_over_the_limit_is_refused() -> None:
    with pytest.raises(RefusedMessage):
        document(mdm(text="x" * 101), max_text_bytes=100)


@pytest.mark.parametrize("status", ["D", "W", "X", "I", "N", "O"])
def test_a_text_that_does_not_stand_is_refused(status: str) -> None:
    assert faults(oru(status=status)) == ["OBX-11"]


@pytest.mark.parametrize("segment", ["PID", "TXA"])
def test_a_segment_that_is_missing_or_twice_there_is_named(segment: str) -> None:
    lines = mdm().split("\r")
    (line,) = (line for line in lines if line.startswith(segment))
    assert faults("\r".join(one for one in lines if one != line)) == [segment]
    assert faults("\r".join([*lines[:-1], line])) == [segment]


@pytest.mark.parametrize("event", ["T06", "T10"])
def test_a_replacement_names_its_parent(event: str) -> None:
    assert faults(mdm(event)) == ["TXA-13"]
    assert document(mdm(event, parent="DOC-0")).parent


def test_a_cancellation_needs_no_text() -> None:
    found = document(mdm("T11"))
    assert (found.note, bool(found.number)) == (None, True)
    assert faults(mdm("T11", number="", patient="")) == ["PID-3", "TXA-12"]


def test_a_report_is_a_document_by_its_loinc_code() -> None:
    assert type_of(oru()) == "18748-4"
    assert type_of(oru(code="71020^Chest^C4", observation="36643-5^XR Chest 2 Views^LN")) == "36643-5"
    assert type_of(oru(code="71020^Chest^C4^36643-5^XR Chest^LN")) == "36643-5"
    assert faults(oru(code="71020^Chest^C4")) == ["OBR-4"]


def test_a_report_is_written_when_it_is_reported() -> None:
    assert authored_of(oru()).hour == 8
    assert authored_of(oru(reported="")).hour == 7


def test_numbers_beside_a_text_are_left_and_numbers_alone_are_no_document() -> None:
    value = "OBX|2|NM|8867-4^Heart rate^LN||72|/min|||||F\r"
    assert text_of(oru() + value) == TEXT
    assert faults(oru().replace("|FT|", "|NM|")) == ["OBX-2"]


def test_two_documents_in_one_report_are_refused() -> None:
    second = "\r".join(oru().split("\r")[2:])
    assert faults(oru() + second) == ["OBR"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"_9": "ADT^A01"}, "MSH-9"), ({"_9": "MDM^T01"}, "MSH-9"), ({"_9": "MDM"}, "MSH-9"), ({"_9": ""}, "MSH-9"),
        ({"_10": ""}, "MSH-10"), ({"_11": "T"}, "MSH-11"), ({"_11": ""}, "MSH-11"), ({"_12": "3"}, "MSH-12"),
        ({"_12": ""}, "MSH-12"), ({"_15": "XX"}, "MSH-15"), ({"_16": "al"}, "MSH-16"),
    ],
)  # fmt: skip
def test_a_header_that_asks_for_something_else_is_refused(changed: dict[str, str], field: str) -> None:
    assert faults(mdm(**changed)) == [field]
