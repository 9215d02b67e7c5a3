"""Exports as CSV and as Parquet: made by the service, checked without it, and edited as a clever hand would."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from services.audit.domain.entries import EntryFilter
from services.audit.exports import Head
from services.audit.exports.parquet import ROW_GROUP, write_parquet
from services.audit.exports.sheet import STEERING
from services.audit.usecases.exports import proven_entries
from services.audit.verify import main
from shared.auth import Role
from tests.services.audit.support import Audit, event
from tests.services.audit.verify.support import run_alone

EVENTS = 600
Table = list[list[str]]


@pytest.fixture
def used(audit: Audit) -> Audit:
    """A log of more than one tile, some of its entries with all that a row can hold."""
    full = {
        "purposeOfUse": "TREAT", "subjectRef": "pat-" + "a" * 32, "requestId": "=1+1",
        "object": {"kind": "note", "id": 'a,"b'}, "details": {"bundleDigest": "sha256:" + "b" * 64},
        "consent": {"decision": "permit", "reason": "said so"}, "outcomeReason": "two\nlines",
    }  # fmt: skip
    audit.append(*(event(subtype="note-stored", **full) if n % 3 else event() for n in range(EVENTS)))
    return audit


def _export(audit: Audit, form: str, **terms: Any) -> bytes:
    answer = audit.get("/audit/export", format=form, **terms)
    assert answer.status_code == 200, answer.text
    content: bytes = answer.content
    return content


def _check(audit: Audit, content: bytes, directory: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    file = directory / "export"
    file.write_bytes(content)
    main(["export", str(file), "--key", audit.vkey.strip(), "--json"])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("terms", "entries", "complete"),
    [({}, EVENTS, True), ({"firstIndex": 100, "lastIndex": 299}, 200, True), ({"purpose": "TREAT"}, 400, False)],
)
def test_a_table_is_good_by_itself(
    used: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str, terms: Any, entries: int, complete: bool
) -> None:
    answer = _check(used, _export(used, form, **terms), tmp_path, capsys)
    assert answer["good"], answer
    assert (answer["entries"], answer["complete"]) == (entries, complete)


def test_a_table_says_what_the_leaf_says(used: Audit) -> None:
    header, _, _, second, *_ = csv.reader(io.StringIO(_export(used, "csv").decode(), newline=""))
    row = dict(zip(header, second, strict=True))
    leaf = json.loads(base64.b64decode(row["leaf"]))
    assert leaf["event"]["eventId"] == row["eventId"]
    assert (row["index"], row["objectId"], row["consent"], row["outcomeReason"]) == (
        "1",
        'a,"b',
        "permit",
        "two\nlines",
    )
    table = parquet.read_table(io.BytesIO(_export(used, "parquet"))).to_pylist()
    assert (table[1]["leaf"], table[1]["requestId"]) == (base64.b64decode(row["leaf"]), "=1+1")


def test_34_no_cell_of_a_sheet_begins_a_formula(used: Audit) -> None:
    used.append(*(event(requestId=f"{sign}cmd") for sign in STEERING), event(producer="@SUM(1)"))
    cells = [cell for row in csv.reader(io.StringIO(_export(used, "csv").decode(), newline="")) for cell in row]
    assert [cell for cell in cells if cell.startswith(STEERING)] == []
    assert "'=1+1" in cells


def test_sheets_are_checked_with_nothing_of_the_suite(used: Audit, tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_bytes(_export(used, "csv"))
    answer = run_alone("export", str(file), "--key", used.vkey.strip(), "--json")
    assert (answer.returncode, json.loads(answer.stdout)["entries"]) == (0, EVENTS)


def test_parquet_needs_its_reader_and_says_so(used: Audit, tmp_path: Path) -> None:
    file = tmp_path / "export.parquet"
    file.write_bytes(_export(used, "parquet"))
    answer = run_alone("export", str(file), "--key", used.vkey.strip())
    assert (answer.returncode, "pyarrow" in answer.stderr) == (2, True)


def _sealed(rows: Table) -> bytes:
    """The rows with an end that fits them, as a forger would make it."""

    def spelt(some: Table) -> bytes:
        written = io.StringIO()
        csv.writer(written, lineterminator="\r\n").writerows(some)
        return written.getvalue().encode()

    body = spelt(rows[:-1])
    end = {"end": {"entries": len(rows) - 3, "sha256": hashlib.sha256(body).hexdigest()}}
    last = [*rows[-1]]
    last[-2] = base64.b64encode(json.dumps(end, separators=(",", ":")).encode()).decode()
    return body + spelt([last])


def _set(row: int, name: str, value: str) -> Callable[[Table], Table]:
    def edit(rows: Table) -> Table:
        rows[row][rows[0].index(name)] = value
        return rows

    return edit


SHEET_EDITS: dict[str, tuple[Callable[[Table], Table], int | None]] = {
    "actor": (_set(42, "actor", "somebody-else"), 40),
    "emptied cell": (_set(43, "purpose", ""), 41),
    "time": (_set(42, "occurredAt", "2020-01-01T00:00:00.000000Z"), 40),
    "leaf of another": (lambda rows: _set(42, "leaf", rows[43][-2])(rows), 40),
    "leaf that is none": (_set(42, "leaf", base64.b64encode(b"{}").decode()), 40),
    "index": (_set(42, "index", "039"), 40),
    "row taken out": (lambda rows: rows[:42] + rows[43:], 40),
    "row twice": (lambda rows: rows[:42] + rows[41:], 39),
    "guard taken away": (_set(43, "requestId", "=1+1"), 41),
}


@pytest.mark.parametrize("name", SHEET_EDITS)
def test_what_was_edited_in_a_sheet_is_found(
    used: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    edit, index = SHEET_EDITS[name]
    rows = list(csv.reader(io.StringIO(_export(used, "csv").decode(), newline="")))
    answer = _check(used, _sealed(edit(rows)), tmp_path, capsys)
    assert (answer["good"], answer.get("firstBad")) == (False, index)


@pytest.mark.parametrize(
    "spoil", [lambda c: c[:-300], lambda c: c + c[-400:], lambda c: c[:5000], lambda c: b"index,x\n"]
)
def test_a_sheet_that_was_cut_or_lengthened_is_bad(
    used: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[bytes], bytes]
) -> None:
    assert _check(used, spoil(_export(used, "csv")), tmp_path, capsys)["good"] is False


@pytest.mark.parametrize(
    ("name", "value", "index"),
    [
        ("actor", "somebody-else", 40),
        ("index", 7, 7),
        ("leaf", b"{}", 40),
        ("leafHash", b"", 40),
        ("proof", [b"x"], 40),
    ],
)
def test_what_was_edited_in_a_parquet_file_is_found(
    used: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, value: Any, index: int
) -> None:
    table = parquet.read_table(io.BytesIO(_export(used, "parquet")))
    rows = table.to_pylist()
    rows[40][name] = value
    written = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=table.schema), written)
    answer = _check(used, written.getvalue(), tmp_path, capsys)
    assert answer["good"] is False
    assert index in [fault["index"] for fault in answer["faults"]]


def test_a_parquet_file_that_was_cut_is_bad(used: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _check(used, _export(used, "parquet")[:-20], tmp_path, capsys)["good"] is False


def test_parquet_leaves_a_row_group_at_a_time(used: Audit) -> None:
    """However long the log: no more is read than the piece needs that leaves next."""
    (one,) = itertools.islice(proven_entries(used.app.state.audit, EntryFilter(), 1), 1)
    read = 0

    def _endless() -> Any:
        nonlocal read
        while True:
            read += 1
            yield one

    proven: Any = _endless()
    pieces = write_parquet(Head({}, ""), proven)
    sizes = [len(next(pieces)) for _ in range(2)]
    assert (read, min(sizes) > 0) == (2 * ROW_GROUP, True)


def test_without_the_library_parquet_is_refused_with_what_to_install(
    used: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = used.get("/audit/export", format="parquet")
    assert (answer.status_code, answer.json()["errors"][0]["fix"]) == (
        406,
        "install consilium[arrow] here, or ask for csv",
    )
    assert used.get("/audit/entries", subtype="audit-export").json()["items"] == []


def test_a_patients_export_is_asked_for_in_a_body(
    used: Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    used.get("/consents", Role.CLINICIAN, patient="MRN-7")
    answer = used.post("/audit/export", {"patient": "MRN-7", "format": "csv"}, Role.AUDITOR)
    assert b"MRN-7" not in answer.content
    assert _check(used, answer.content, tmp_path, capsys)["entries"] == 1


@pytest.mark.parametrize("body", [{"format": "xlsx"}, {"patient": "a", "subjectRef": "pat-" + "a" * 32}])
def test_a_malformed_export_is_refused(used: Audit, body: dict[str, Any]) -> None:
    assert used.post("/audit/export", body, Role.AUDITOR).status_code == 422
