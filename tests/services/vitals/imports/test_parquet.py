"""Parquet files of samples, as they are written by the Arrow library: taken row by row, or refused by their footer."""

from __future__ import annotations

import io
import random
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.vitals.imports import parquet
from services.vitals.imports.detection import PARQUET
from tests.services.vitals.conftest import Start, make_sample, send, stored
from tests.services.vitals.imports.importing import counts, import_file, send_file
from tests.services.vitals.imports.reading import form_of, read_file

pa = pytest.importorskip("pyarrow", reason="the extra `arrow` is not installed")
pq = pytest.importorskip("pyarrow.parquet", reason="the extra `arrow` is not installed")

AT = datetime(2026, 3, 14, 8, 30, tzinfo=UTC)
TIMES = pa.timestamp("us", "UTC")


def sample(minute: int = 0, **changed: Any) -> dict[str, Any]:
    return {**make_sample(value=71.0, effective=AT + timedelta(minutes=minute)), **changed}


def parquet_file(
    rows: Sequence[Mapping[str, Any]], *without: str, rows_together: int = 50, is_summed: bool = False, **types: Any
) -> bytes:
    """Rows as a Parquet file, but for some columns."""
    types = {"effective": TIMES, **types}
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in without]
    table = pa.table({name: pa.array([row.get(name) for row in rows], types.get(name)) for name in names})
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=rows_together, write_page_checksum=is_summed)
    return out.getvalue()


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["field"]


def test_a_file_is_known_by_its_content() -> None:
    form = form_of(parquet_file([sample()]))
    assert form is not None
    assert form.kind == PARQUET


def test_a_file_is_imported_in_groups_of_rows(start: Start, any_database: str) -> None:
    client = start(any_database, import_batch=100)
    rows = [sample(minute, patient=f"P-{minute % 3}") for minute in range(1000)]
    progress = import_file(client, parquet_file(rows))
    assert (progress["state"], progress["format"]) == ("succeeded", "parquet")
    assert progress["counts"] == counts(1000, accepted=1000)
    assert len(stored(client, "P-0")) == 334


def test_a_row_that_came_as_a_line_is_a_duplicate(client: TestClient) -> None:
    send(client, [make_sample()])
    assert import_file(client, parquet_file([sample(), sample(1)]))["counts"] == counts(2, accepted=1, duplicates=1)


def test_rejected_rows_are_listed_by_number(client: TestClient) -> None:
    rows = [
        sample(),
        sample(unit="bpm"),
        sample(1),
        sample(value=None),
        sample(effective=datetime(1980, 1, 1, tzinfo=UTC)),
    ]
    answer = send_file(client, parquet_file(rows))
    assert import_file(client, parquet_file(rows))["counts"] == counts(5, accepted=2, rejected=3)
    items = client.get(f"{answer.headers['location']}/rejects").json()["items"]
    assert [(item["place"], item["field"]) for item in items] == [
        ("row 2", "unit"), ("row 4", "value"), ("row 5", "effective")
    ]  # fmt: skip


def test_rows_without_a_patient_are_of_the_one_that_the_request_names(client: TestClient) -> None:
    content = parquet_file([sample(), sample(1)], "patient")
    assert refusal(send_file(client, content)) == (422, "patient")
    assert import_file(client, content, patient="P-7")["counts"] == counts(2, accepted=2)
    assert len(stored(client, "P-7")) == 2


def test_rows_of_another_patient_than_the_request_names_are_rejected(client: TestClient) -> None:
    content = parquet_file([sample(), sample(1, patient="P-2")])
    assert import_file(client, content, patient="P-2")["counts"] == counts(2, accepted=1, rejected=1)


def test_when_it_was_written_is_not_looked_at() -> None:
    found = read_file(parquet_file([sample(sent=AT + timedelta(days=300))], sent=TIMES))
    assert [(s.effective, s.sent) for s in found.samples] == [(AT, None)]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (parquet_file([sample()], "unit"), "unit"),
        (parquet_file([sample(extra=1)]), "extra"),
        (parquet_file([sample()], effective=pa.timestamp("us")), "effective"),
        (parquet_file([sample(value="71")]), "value"),
        (parquet_file([sample()])[:-20], "file"),
        (b"PAR1" + b"\0" * 100 + b"PAR1", "file"),
        (b"PAR1", "file"),
    ],
)
def test_a_file_whose_columns_are_no_samples_is_refused(client: TestClient, content: bytes, field: str) -> None:
    answer = send_file(client, content)
    assert refusal(answer) == (422, field)
    assert answer.json()["errors"][0]["fix"]


def test_groups_of_rows_that_would_fill_the_memory_are_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = parquet_file([sample(minute) for minute in range(200)], rows_together=200)
    monkeypatch.setattr(parquet, "MAX_CHUNK_BYTES", 100)
    assert refusal(send_file(client, content)) == (422, "file")
    monkeypatch.undo()
    monkeypatch.setattr(parquet, "MAX_ROWS", 199)
    assert refusal(send_file(client, content)) == (422, "file")


def test_what_stands_before_the_damage_is_kept() -> None:
    rows = [sample(-minute) for minute in range(20_000)]
    content = bytearray(parquet_file(rows, rows_together=10_000, is_summed=True))
    middle = len(content) * 3 // 4
    content[middle : middle + 4000] = b"\0" * 4000
    found = read_file(bytes(content))
    assert (len(found.samples), found.fields) == (10_000, ["file"])


def test_random_damage_never_breaks_the_reader() -> None:
    chance, good = random.Random(5), parquet_file([sample(minute, patient=f"P-{minute}") for minute in range(50)])
    for _ in range(200):
        content = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            content[chance.randrange(4, len(content) - 12)] = chance.randrange(256)
        found = read_file(bytes(content))
        assert len(found.samples) <= 50 + found.fields.count("file")


def test_without_the_library_the_answer_says_what_to_install(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = parquet_file([sample()])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = send_file(client, content)
    assert answer.status_code == 415
    assert "consilium[arrow]" in answer.json()["errors"][0]["fix"]
