"""multipart/related: what is written is read again, and what is broken is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.imaging.dicom.multipart import Part, build, parameters, parse
from services.imaging.errors import MalformedMultipart


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_written_parts_are_read_again(contents: list[bytes]) -> None:
    body, content_type = build([("application/dicom", content) for content in contents], "application/dicom")
    assert parse(body, parameters(content_type)[1]["boundary"]) == [Part("application/dicom", c) for c in contents]


def test_line_breaks_and_dashes_in_a_body_are_kept() -> None:
    content = b"\r\n--\r\n--x\r\n\r\n--"
    body, content_type = build([("application/dicom", content)], "application/dicom")
    assert parse(body, parameters(content_type)[1]["boundary"])[0].content == content


def test_a_preamble_and_an_epilogue_are_ignored() -> None:
    body = b"hello\r\n--b\r\nContent-Type: application/dicom\r\n\r\nX\r\n--b--\r\nbye"
    assert parse(body, "b") == [Part("application/dicom", b"X")]


def test_a_part_without_header_has_no_type() -> None:
    assert parse(b"--b\r\n\r\nX\r\n--b--", "b") == [Part("", b"X")]


def test_header_names_and_types_are_case_insensitive() -> None:
    body = b"--b\r\ncontent-TYPE: Application/DICOM; transfer-syntax=1.2\r\nContent-Length: 1\r\n\r\nX\r\n--b--"
    assert parse(body, "b") == [Part("application/dicom", b"X")]


def test_white_space_after_a_boundary_is_allowed() -> None:
    assert parse(b"--b \t\r\n\r\nX\r\n--b--", "b") == [Part("", b"X")]


@pytest.mark.parametrize("header", ['a/b; boundary="x y"', "A/B;  boundary=x"])
def test_parameters_lose_their_quotes(header: str) -> None:
    media_type, found = parameters(header)
    assert media_type == "a/b"
    assert found["boundary"] in ("x y", "x")


@pytest.mark.parametrize(
    "body",
    [b"", b"nothing", b"--b\r\n\r\nX", b"--b\r\nContent-Type: x\r\n--b--", b"--bx\r\n\r\nX\r\n--b--"],
    ids=["empty", "no boundary", "no end", "header without end", "other boundary"],
)
def test_broken_messages_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedMultipart):
        parse(body, "b")


@given(st.binary(max_size=200))
def test_no_body_breaks_the_parser(body: bytes) -> None:
    try:
        parts = parse(b"--b\r\n" + body, "b")
    except MalformedMultipart:
        return
    assert all(isinstance(part, Part) for part in parts)
