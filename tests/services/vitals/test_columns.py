"""Samples in columns: the same samples, duplicates and words as the same rows in lines."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vitals import arrow_stream
from services.vitals.errors import NotColumns
from services.vitals.intake import ARROW, NDJSON, read_batch
from tests.services.vitals.conftest import NOW, Start, events_of, in_words, make_sample, send, stored

pa = pytest.importorskip("pyarrow", reason="the extra `arrow` is not installed")

AT = datetime(2026, 3, 14, 8, 30, tzinfo=UTC)
UTC_TIMES = pa.timestamp("us", "UTC")


def table(rows: Sequence[Mapping[str, Any]], **types: Any) -> Any:
    """Rows as a table; `effective=…` gives a column another type than what its values suggest."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows], types.get(name)) for name in names})


def stream(columns: Any, **options: Any) -> bytes:
    """A table as an Arrow IPC stream."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, columns.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(columns, max_chunksize=7)
    return out.getvalue()


def sample(**changed: Any) -> dict[str, Any]:
    return {**make_sample(value=71.0, effective=AT), **changed}


def post(client: TestClient, body: bytes) -> Any:
    return client.post("/vitals/samples", content=body, headers={"Content-Type": ARROW})


def read(columns: Any) -> tuple[Any, ...]:
    batch = read_batch(io.BytesIO(stream(columns)), ARROW, NOW)
    return batch.lines, dict(batch.samples), [(r.line, r.problem) for r in batch.rejected]


def read_lines(rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    body = "\n".join(json.dumps(row) for row in rows).encode()
    batch = read_batch(io.BytesIO(body), NDJSON[0], NOW)
    return batch.lines, dict(batch.samples), [(r.line, r.problem) for r in batch.rejected]


def test_columns_are_stored(start: Start, any_database: str) -> None:
    client = start(any_database)
    rows = [sample(effective=AT + timedelta(minutes=n)) if n else sample() for n in range(20)]
    assert in_words(post(client, stream(table(rows, effective=UTC_TIMES)))) == (20, 0, [])
    found = stored(client)
    assert (len(found), found[3]["effective"], found[3]["value"]) == (20, "2026-03-14T08:33:00Z", 71.0)


def test_a_row_that_came_as_a_line_is_a_duplicate(start: Start, any_database: str) -> None:
    client = start(any_database)
    send(client, [make_sample(), make_sample(code="8310-5", value=98.6, unit="[degF]")])
    rows = [sample(), sample(code="8310-5") | {"value": 98.6, "unit": "[degF]"}, sample(device="other")]
    body = stream(table(rows, effective=UTC_TIMES))
    assert in_words(post(client, body)) == (1, 2, [])
    assert in_words(post(client, body)) == (0, 3, [])


def test_rejected_rows_are_numbered_and_lose_no_others(client: TestClient) -> None:
    rows = [sample(), sample(unit="bpm"), sample(patient=""), sample(patient="P-2")]
    answer = post(client, stream(table(rows, effective=UTC_TIMES)))
    assert in_words(answer) == (2, 0, [2, 3])
    assert answer.json()["rejected"][0] == {
        "line": 2, "field": "unit", "reason": "unit is not a UCUM code", "fix": "send /min"
    }  # fmt: skip
    assert [event["subtype"] for event in events_of(client)] == ["vitals-stored"] * 2 + ["vitals-rejected"]


def test_nothing_but_rejected_rows_is_refused(client: TestClient) -> None:
    answer = post(client, stream(table([sample(unit="bpm")], effective=UTC_TIMES)))
    assert (answer.status_code, answer.json()["rejectedCount"]) == (422, 1)
    empty = post(client, stream(table([sample()], effective=UTC_TIMES).slice(0, 0)))
    assert empty.status_code == 422


TEXTS = ["P-1", "P-2", "", " P", "Ünï", "x" * 65]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "patient": st.sampled_from(["P-1", "P-1", "P-2", *TEXTS]),
            "code": st.sampled_from(["8867-4", "8867-4", "8310-5", "59408-5", "nonsense"]),
            "value": st.sampled_from([71.0, 36.6, 98.6, 0.97, 97.0, -1.0, 0.0, 1e308]),
            "unit": st.sampled_from(["/min", "/min", "[degF]", "Cel", "%", "1", "bpm"]),
            "effective": st.sampled_from(
                [f"{at}:00Z" for at in ("2026-03-14T08:30", "1980-01-01T00:00", "2030-01-01T00:00", "x")]
                + ["2026-03-14T08:30:00.25+01:00"]
            ),
            "device": st.sampled_from(["watch-1", None, "", "x" * 129]),
            "sent": st.sampled_from([None, None, None, "2026-03-14T08:31:00Z", "x"]),
        }
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip


@settings(deadline=None)
@given(ROWS, st.booleans())
def test_rows_are_read_as_lines_are(rows: list[dict[str, Any]], is_encoded: bool) -> None:
    columns = table(rows, device=pa.string(), sent=pa.string())
    if is_encoded:
        for name in ("patient", "code", "unit", "device"):
            place = columns.schema.get_field_index(name)
            columns = columns.set_column(place, name, columns[name].dictionary_encode())
    assert read(columns) == read_lines(rows)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize(
    ("zone", "minutes"),
    [("UTC", None), ("+00:00", None), ("+05:30", 330), ("-08:00", -480), ("Europe/Berlin", 60), ("Europe/London", 0)],
)
def test_timestamps_are_moments_with_a_zone(unit: str, zone: str, minutes: int | None) -> None:
    rows = [sample(), sample(unit="bpm")]  # together, and row by row beside a reject
    for taken in (rows[:1], rows):
        _, samples, _ = read(table(taken, effective=pa.timestamp(unit, zone)))
        assert [(s.effective, s.zone_minutes) for s in samples["P-1001"]] == [(AT, minutes)]


@pytest.mark.parametrize(
    "at", [datetime(1980, 1, 1, tzinfo=UTC), NOW + timedelta(hours=2), 2**62, -(2**62)]
)  # fmt: skip
def test_a_time_out_of_reach_is_rejected_in_the_words_of_a_line(at: Any) -> None:
    _, samples, rejected = read(table([sample(), sample() | {"effective": at}], effective=UTC_TIMES))
    assert [(number, problem.field) for number, problem in rejected] == [(2, "effective")]
    assert len(samples["P-1001"]) == 1


def test_what_was_shown_when_it_was_sent_corrects_a_column_too() -> None:
    shown = AT - timedelta(days=400)
    rows = [sample() | {"effective": shown, "sent": shown + timedelta(minutes=1)}, sample() | {"sent": None}]
    _, samples, rejected = read(table(rows, effective=UTC_TIMES, sent=UTC_TIMES))
    assert ([s.sent for s in samples["P-1001"]], rejected) == ([shown + timedelta(minutes=1), None], [])


@pytest.mark.parametrize("missing", ["patient", "code", "value", "unit", "effective"])
def test_a_null_is_rejected_by_its_name(missing: str) -> None:
    _, samples, rejected = read(table([sample(), sample() | {missing: None}], effective=UTC_TIMES))
    assert [(number, problem.field) for number, problem in rejected] == [(2, missing)]
    assert len(samples["P-1001"]) == 1


@pytest.mark.parametrize(
    "kind", [pa.int8(), pa.uint64(), pa.int64(), pa.float16(), pa.float32()], ids=str
)  # fmt: skip
def test_any_column_of_numbers_is_one_of_values(kind: Any) -> None:
    _, samples, _ = read(table([sample(value=71), sample(value=72)], effective=UTC_TIMES, value=kind))
    assert [s.value for s in samples["P-1001"]] == [71.0, 72.0]


def test_not_a_number_is_no_value() -> None:
    _, _, rejected = read(table([sample(), sample() | {"value": float("nan")}], effective=UTC_TIMES))
    assert [(number, problem.field) for number, problem in rejected] == [(2, "value")]


ONE = table([sample()], effective=UTC_TIMES)


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        (ONE.drop_columns(["unit"]), "unit"),
        (ONE.append_column("extra", pa.array([1])), "extra"),
        (ONE.append_column("unit", pa.array(["/min"])), "unit"),
        (table([sample()], effective=pa.timestamp("us")), "effective"),
        (table([sample()], effective=pa.timestamp("us", "Mars/Olympus")), "effective"),
        (table([sample() | {"effective": 5}]), "effective"),
        (table([sample() | {"value": "71"}], effective=UTC_TIMES), "value"),
        (table([sample() | {"value": True}], effective=UTC_TIMES), "value"),
        (table([sample() | {"patient": 7}], effective=UTC_TIMES), "patient"),
        (table([sample() | {"device": b"x"}], effective=UTC_TIMES), "device"),
    ],
)
def test_columns_that_are_no_samples_are_refused_by_name(client: TestClient, columns: Any, field: str) -> None:
    answer = post(client, stream(columns))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:consilium:problem:invalid-columns")
    assert answer.json()["errors"][0]["field"] == field
    assert answer.json()["errors"][0]["fix"]


GOOD = stream(table([sample(patient=f"P-{n}") for n in range(20)], effective=UTC_TIMES))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no stream at all",
        b"ARROW1\0\0" + GOOD,
        GOOD[:-40],
        GOOD[: len(GOOD) // 2],
        b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"x" * 64,
        *(stream(ONE, compression=name) for name in ("lz4", "zstd")),
        stream(
            ONE.set_column(0, "patient", ONE["patient"].dictionary_encode()), compression="zstd"
        ),
    ],
)  # fmt: skip
def test_bytes_that_are_no_plain_stream_are_refused(client: TestClient, body: bytes) -> None:
    answer = post(client, body)
    assert (answer.status_code, [e["field"] for e in answer.json()["errors"]]) == (422, ["body"])
    assert stored(client, "P-0") == []


@settings(deadline=None)
@given(st.data())
def test_a_damaged_stream_is_read_or_refused_and_never_kills(data: st.DataObject) -> None:
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(NotColumns):
        read_batch(io.BytesIO(bytes(damaged)), ARROW, NOW)


def test_more_rows_than_an_answer_can_hold_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow_stream, "MAX_ROWS", 19)
    answer = post(client, GOOD)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (413, "body")
    assert stored(client, "P-0") == []


def test_without_the_library_the_answer_says_what_to_install(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = post(client, GOOD)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (415, "Content-Type")
    assert "consilium[arrow]" in answer.json()["errors"][0]["fix"]
