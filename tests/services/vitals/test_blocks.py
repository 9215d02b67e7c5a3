"""A block of lines is read as its lines are one by one: the same samples, the same rejects, the same words."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vitals.blocks import BlockReader, blocks_of
from services.vitals.intake import JSON, NDJSON, read_batch
from services.vitals.lines import MAX_LINE_BYTES
from tests.services.vitals.conftest import NOW, SAMPLE, make_sample


def line(**changed: Any) -> bytes:
    return json.dumps({k: v for k, v in make_sample(**changed).items() if v != "absent"}).encode()


GOOD = line()


def read(body: bytes) -> tuple[Any, ...]:
    batch = read_batch(io.BytesIO(body), NDJSON[0], NOW)
    return batch.lines, {patient: list(samples) for patient, samples in batch.samples.items()}, list(batch.rejected)


def read_line_by_line(body: bytes) -> tuple[Any, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BlockReader, "read", lambda *_: None)
        return read(body)


ODD = [
    line(device="absent"),
    line(device=None),
    line(device="Müller"),
    line(device='a "quoted" one'),
    line(device="back\\slash"),
    line(device="<<HKDevice: 0x28>, name:Watch, software:9.1>"),
    line(device=""),
    line(device="x" * 129),
    line(device="tab\t"),
    line(patient=""),
    line(patient=" P"),
    line(patient="Ünïcøde-7"),
    line(value=71.5),
    line(value=0),
    line(value=-0.0),
    line(value=10**40),
    line(value="71"),
    line(value=True),
    line(value=None),
    line(code="59408-5", unit="%", value=0.97),
    line(code="59408-5", unit="%", value=97),
    line(code="59408-5", unit="1", value=0.97),
    line(code="8310-5", unit="[degF]", value=98.6),
    line(code="8310-5", unit="Cel", value=-300),
    line(code="2708-6", unit="%", value=93),
    line(code="8867-4", unit="bpm"),
    line(code="0000-0"),
    line(unit="{beats}/min"),
    line(unit="x" * 65),
    line(effective="2026-03-14T09:30:00+01:00"),
    line(effective="2026-03-14T08:30:00.1234567Z"),
    line(effective="2026-03-14t08:30:00z"),
    line(effective="2026-03-14T08:30:00-00:00"),
    line(effective="2026-03-14T08:30:00"),
    line(effective="2026-02-30T08:30:00Z"),
    line(effective="2026-W10-1T08:30:00Z"),
    line(effective="1980-01-01T00:00:00Z"),
    line(effective="2026-03-16T08:30:00Z"),
    line(sent="2026-03-14T08:31:00Z"),
    line(sent="2026-03-14T06:31:00Z"),
    line(sent=None),
    line(sent=5),
    line(effective="1980-01-01T00:00:00Z", sent="1980-01-01T01:00:00Z"),
    line(extra=1),
    line(unit="absent"),
    GOOD.replace(b'"unit"', b'"unit": "/min", "unit"'),
    GOOD.replace(b'"device"', b'"patient": "P-1001", "device"'),
    GOOD.replace(b'"patient"', b'"\\u0070atient": "P-9", "patient"'),
    GOOD.replace(b'"device": "watch-1"', b'"device": null, "device": "watch-1"'),
    GOOD.replace(b" ", b""),
    GOOD.replace(b", ", b" ,\t"),
    GOOD + b" ",
    b" " + GOOD,
    GOOD + b"\r",
    GOOD + GOOD,
    GOOD + b" " + GOOD,
    GOOD + b",",
    GOOD[:-1],
    GOOD[: len(GOOD) // 2] + b"\n" + GOOD[len(GOOD) // 2 :],
    GOOD.replace(b", ", b",\n"),
    b"",
    b"  ",
    b"\r",
    b"[" + GOOD + b"]",
    b"null",
    b'{"value": NaN}',
    GOOD.replace(b"71", b"NaN"),
    GOOD.replace(b"71", b"1e400"),
    GOOD.replace(b"71", b"071"),
    GOOD.replace(b"71", b"9" * 5000),
    b"\xef\xbb\xbf" + GOOD,
    GOOD.replace(b"watch", b"w\xffatch"),
    GOOD.replace(b"watch", b"\\ud800"),
    GOOD.replace(b'"/min"', b'{"a": {}}'),
    b'{"a":' * 2000,
    GOOD + b" " * MAX_LINE_BYTES,
    b"x" * (3 * MAX_LINE_BYTES),
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_line_is_read_as_it_is_by_itself(odd: bytes) -> None:
    for body in (odd, odd + b"\n", b"\n".join([GOOD, odd, GOOD]), b"\n".join([odd, odd, GOOD, b""])):
        assert read(body) == read_line_by_line(body)


TEXTS = st.sampled_from([*(text for text in ODD if len(text) < 1000), *[GOOD] * 20])


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=200), st.sampled_from([b"\n", b"\r\n"]))
def test_any_body_is_read_as_its_lines_are(lines: list[bytes], end: bytes) -> None:
    body = end.join(lines)
    assert read(body) == read_line_by_line(body)


@settings(deadline=None)
@given(st.data())
def test_a_line_that_was_damaged_is_read_as_it_is_by_itself(data: st.DataObject) -> None:
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    body = b"\n".join([GOOD, bytes(damaged), GOOD])
    assert read(body) == read_line_by_line(body)


def test_good_lines_take_the_short_way() -> None:
    body = b"\n".join(line(value=60 + n % 40, effective=(NOW - timedelta(minutes=n)).isoformat()) for n in range(500))
    reader = BlockReader(NOW)
    assert sum(len(reader.read(block) or ()) for block in blocks_of(io.BytesIO(body))) == 500


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("device", ["absent", None, "Müller's watch"])
def test_what_many_devices_send_takes_the_short_way(end: bytes, device: str | None) -> None:
    lines = [line(device=device, value=value, sent="2026-03-14T08:31:00Z") for value in (60, 61.5)]
    assert len(BlockReader(NOW).read(end.join([*lines, b""])) or ()) == 2


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=60), st.integers(1, 30))
def test_blocks_are_whole_lines(parts: list[bytes], most: int) -> None:
    content = b"\n".join(parts)
    found = list(blocks_of(io.BytesIO(content), most))
    kept = [one if len(one) <= most else one[: most + 1] for one in io.BytesIO(content).readlines()]
    assert b"".join(found) == b"".join(kept)
    assert all(len(block) <= most or block.count(b"\n", 0, most) == 0 for block in found)


def test_one_object_alone_may_be_spread_over_lines() -> None:
    body = json.dumps(SAMPLE, indent=2).encode()
    batch = read_batch(io.BytesIO(body), JSON, NOW)
    assert (batch.lines, len(batch.samples["P-1001"])) == (1, 1)
