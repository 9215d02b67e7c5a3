"""Headers, character sets, segments and escapes, by the examples of HL7 2.7 chapter 2."""

from __future__ import annotations

import pytest

from shared.hl7v2.header import read_header
from shared.hl7v2.message import Message, read_message
from shared.hl7v2.problems import RefusedMessage
from tests.services.notes.hl7_messages import mdm
from tests.support.mllp import msh


def read(content: str | bytes, unnamed: str = "ASCII") -> Message:
    sent = content.encode() if isinstance(content, str) else content
    return read_message(sent, read_header(sent), unnamed)


def fault(content: str | bytes) -> str:
    with pytest.raises(RefusedMessage) as refusal:
        read(content)
    return refusal.value.faults[0].field


def text_of(value: str, **header: str) -> str:
    message = read(mdm(text=value, **header))
    return next(message.all("OBX")).repetitions(5)[0]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n"])
def test_segments_may_end_in_any_line_end(end: str) -> None:
    message = read(mdm().replace("\r", end))
    assert [segment.name for segment in message.segments] == ["EVN", "PID", "TXA", "OBX"]


@pytest.mark.parametrize(("first", "others"), [("\r", "\r\n"), ("\n", "\r\n"), ("\r\n", "\r\n\n")])
def test_mixed_line_ends_leave_nothing_in_the_values(first: str, others: str) -> None:
    head, _, rest = mdm().partition("\r")
    message = read(head + first + rest.replace("\r", others))
    assert [segment.name for segment in message.segments] == ["EVN", "PID", "TXA", "OBX"]
    assert [segment.fields[-1] for segment in message.segments][1:] == ["P-1001^^^GENERAL^MR", "AU", "F"]


def test_a_line_feed_inside_a_value_is_kept_where_segments_end_in_cr() -> None:
    assert text_of("First line.\nSecond line.") == "First line.\nSecond line."


def test_a_line_that_is_no_segment_is_refused_rather_than_dropped() -> None:
    assert fault(mdm(text="First line.\nHPI\nSecond line.").replace("\r", "\n")) == "OBX"


def test_other_separators_are_those_of_the_header() -> None:
    sent = "MSH$*%!@$A$B$C$D$202603140900+0000$$MDM*T02$1$P$2.5\rPID$1$$P-1*X%P-2\rOBX$1$TX$$$a!F!b!S!c!R!d!E!e!T!f"
    message = read(sent)
    assert message.header.part(9, 2) == "T02"
    assert next(message.all("PID")).part(3) == "P-1"
    assert next(message.all("OBX")).repetitions(5) == ["a$b*c%d!e@f"]


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"a\F\b", "a|b"),
        (r"a\S\b", "a^b"),
        (r"a\T\b", "a&b"),
        (r"a\R\b", "a~b"),
        (r"a\E\b", "a\\b"),
        (r"\E\F\E\ ", r"\F\ "),
        (r"one\.br\two", "one\ntwo"),
        (r"one\.sp\two", "one\n\ntwo"),
        (r"one\.sp2\two", "one\n\n\ntwo"),
        (r"one\.sk3\two", "one   two"),
        (r"\.in+4\\.ti-2\one\.fi\\.nf\ ", "one "),
        (r"\.ce\Title", "\nTitle"),
        (r"\H\loud\N\ quiet", "loud quiet"),
        (r"\X48656C6C6F\ ", "Hello "),
        (r"\X0A\ ", "\n "),
        (r"C:\temp\file", r"C:\temp\file"),
        (r"lone \ stays", r"lone \ stays"),
        (r"\Zabc\ is local", r"\Zabc\ is local"),
        (r"\X4\ ", r"\X4\ "),
        (r"\.sp99999\ ", r"\.sp99999\ "),
        ("R&D ^ more", "R&D ^ more"),
    ],
)
def test_escapes_are_decoded_and_what_is_none_stays(sent: str, meant: str) -> None:
    assert text_of(sent) == meant


@pytest.mark.parametrize("sequence", [r"\C2842\ ", r"\M244A\ "])
def test_escapes_that_change_the_character_set_are_refused(sequence: str) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        text_of(sequence)
    assert refusal.value.faults[0].field == "OBX-5"


def test_hexadecimal_bytes_are_of_the_messages_character_set() -> None:
    assert text_of(r"caf\XC3A9\ ", _18="UNICODE UTF-8") == "café "
    assert text_of(r"caf\XE9\ ", _18="8859/1") == "café "
    with pytest.raises(RefusedMessage):
        text_of(r"caf\XE9\ ", _18="UNICODE UTF-8")


@pytest.mark.parametrize(
    ("name", "codec", "text"),
    [
        ("ASCII", "ascii", "plain"),
        ("", "ascii", "plain"),
        ("UNICODE UTF-8", "utf-8", "Fièvre 🤒 39 °C"),
        ("8859/1", "latin-1", "Fièvre 39 °C"),
        ("8859/2", "iso8859-2", "gorączka"),
        ("8859/5", "iso8859-5", "жар"),
        ("8859/7", "iso8859-7", "πυρετός"),
        ("8859/15", "iso8859-15", "cœur 5 €"),
    ],
)
def test_character_sets_are_those_that_the_header_names(name: str, codec: str, text: str) -> None:
    message = read(mdm(text=text, _18=name).encode(codec))
    assert next(message.all("OBX")).repetitions(5) == [text]


@pytest.mark.parametrize("name", ["UNICODE", "8859/16", "KS X 1001", "UNICODE UTF-16", "utf8", "latin1"])
def test_an_unknown_character_set_is_refused(name: str) -> None:
    assert fault(mdm(_18=name)) == "MSH-18"


@pytest.mark.parametrize("name", ["", "ASCII", "UNICODE UTF-8"])
def test_bytes_that_the_character_set_does_not_have_are_refused(name: str) -> None:
    assert fault(mdm(text="Fièvre", _18=name).encode("latin-1")) == "MSH-18"


def test_a_site_may_name_the_set_of_messages_that_name_none() -> None:
    message = read(mdm(text="Fièvre").encode("latin-1"), unnamed="8859/1")
    assert next(message.all("OBX")).repetitions(5) == ["Fièvre"]


def test_a_byte_order_mark_says_utf_8() -> None:
    message = read(b"\xef\xbb\xbf" + mdm(text="Fièvre").encode())
    assert next(message.all("OBX")).repetitions(5) == ["Fièvre"]


@pytest.mark.parametrize("content", ["", "hello", "PID|1", "MSH", "MSHx^~\\&|", "BHS|^~\\&|A\rMSH|^~\\&|A", "\x00"])
def test_bytes_without_a_header_are_refused(content: str) -> None:
    assert fault(content) == "MSH"


@pytest.mark.parametrize("encoding", ["", "^", "^^~", "^~\\\\&", "ab~\\", "^|", "^~\\&#*"])
def test_separators_that_cannot_be_told_apart_are_refused(encoding: str) -> None:
    assert fault(f"MSH|{encoding}|A|B\r") in ("MSH-2", "MSH")


def test_null_is_as_empty() -> None:
    assert read(mdm(patient='""')).one("PID", why="").part(3) == ""
    header = read_header(msh("MDM^T02", _15='""', _16='""').encode())
    assert (header.raw(15), header.raw(16)) == ("", "")


def test_thousands_of_segments_are_taken_and_more_are_refused() -> None:
    assert len(read(mdm(text=["x"] * 19_000)).segments) == 19_003
    assert fault(mdm(text=["x"] * 20_001)) == "MSH"
