"""MLLP frames out of a stream of bytes, however it is cut (HL7 Transport Specification: MLLP, release 1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.hl7v2.framing import Deframer, FrameTooLong, framed

CONTENT = st.binary(max_size=40).filter(lambda content: b"\x0b" not in content and b"\x1c" not in content)
GARBAGE = st.binary(max_size=8).filter(lambda content: b"\x0b" not in content)


def found(deframer: Deframer, *pieces: bytes) -> list[bytes]:
    return [message for piece in pieces for message in deframer.feed(piece)]


@given(st.lists(st.tuples(GARBAGE, CONTENT), max_size=5), st.integers(1, 7))
def test_messages_are_found_however_the_stream_is_cut(parts: list[tuple[bytes, bytes]], size: int) -> None:
    stream = b"".join(garbage + b"\x0b" + content + b"\x1c\x0d" for garbage, content in parts)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert found(Deframer(1000), *pieces) == [content for _, content in parts]


def test_several_messages_in_one_read_are_found_in_order() -> None:
    assert found(Deframer(100), framed(b"one") + framed(b"two")) == [b"one", b"two"]


def test_the_end_is_found_when_it_is_cut_in_two() -> None:
    assert found(Deframer(100), b"\x0bone\x1c", b"\x0d") == [b"one"]


def test_a_file_separator_alone_ends_nothing() -> None:
    assert found(Deframer(100), b"\x0bone\x1ctwo\x1c\x0d") == [b"one\x1ctwo"]


def test_a_start_inside_a_message_begins_it_anew() -> None:
    assert found(Deframer(100), b"\x0bhalf a mess", b"\x0bwhole\x1c\x0d") == [b"whole"]


def test_garbage_without_end_is_not_kept() -> None:
    deframer = Deframer(100)
    assert found(deframer, *[b"x" * 1000] * 100, b"\x0bone\x1c\x0d") == [b"one"]


@pytest.mark.parametrize(
    "pieces", [[b"\x0b" + b"x" * 101], [b"\x0b" + b"x" * 101 + b"\x1c\x0d"], [b"\x0b", *[b"x"] * 101]]
)
def test_a_message_over_the_limit_is_told_with_its_beginning(pieces: list[bytes]) -> None:
    with pytest.raises(FrameTooLong) as told:
        found(Deframer(100), *pieces)
    assert told.value.beginning.startswith(b"x" * 101)


def test_a_message_of_the_limit_is_taken() -> None:
    assert found(Deframer(100), framed(b"x" * 100)) == [b"x" * 100]
