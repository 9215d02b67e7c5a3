"""JSON files are read record by record, whatever their size and however they end."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vitals.imports.bounds import MAX_RECORD_BYTES
from services.vitals.imports.json_records import BUNDLE, DOCUMENT, LINES, LIST, read_records

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(values=st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=6))
def test_what_is_written_in_any_layout_is_read_back(values: list[object]) -> None:
    written = {
        LINES: "\n".join(map(json.dumps, values)),
        LIST: json.dumps(values, indent=1),
        BUNDLE: json.dumps({"resourceType": "Bundle", "entry": values}),
    }
    for layout, text in written.items():
        records = list(read_records(io.BytesIO(text.encode()), layout))
        assert [record.value for record in records] == values
        assert {record.problem for record in records} <= {None}


@pytest.mark.parametrize("layout", [LINES, LIST, BUNDLE, DOCUMENT])
@given(content=st.binary(max_size=200))
def test_any_bytes_are_records_or_named_problems(layout: str, content: bytes) -> None:
    for record in read_records(io.BytesIO(b"[" + content), layout):
        assert record.problem is None or record.problem.fix


def test_a_record_over_the_limit_is_told_in_every_layout() -> None:
    long = b'"' + b"x" * (MAX_RECORD_BYTES + 200_000) + b'"'
    written = {LINES: long + b"\n{}", LIST: b"[{}," + long + b"]", BUNDLE: b'{"entry": [{},' + long, DOCUMENT: long}
    for layout, content in written.items():
        records = list(read_records(io.BytesIO(content), layout))
        assert [record.problem is not None for record in records].count(True) == 1, layout


def test_memory_does_not_grow_with_a_list() -> None:
    def peak(count: int) -> int:
        content = io.BytesIO(b"[" + b",".join([b'{"a": "' + b"x" * 500 + b'"}'] * count) + b"]")
        tracemalloc.start()
        try:
            assert sum(1 for _ in read_records(content, LIST)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(40_000) < peak(4_000) + 1_000_000
