"""Exports: made by the service, checked without it, and cut, mended and mixed in every way we can think of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from services.audit.verify.export import verify_export
from services.audit.verify.faults import Bad, Report
from services.audit.verify.notes import Key, parse_key
from shared.auth import Role
from tests.services.audit.support import Audit, event, open_audit
from tests.services.audit.verify.support import run_alone
from tests.support.common import TestBed

EVENTS = 600
"""More than the service reads at once."""


@pytest.fixture
def used(audit: Audit) -> Audit:
    """A log of more than one tile."""
    audit.append(*(event(subtype="note-stored" if n % 3 else "note-read") for n in range(EVENTS)))
    return audit


def _export(audit: Audit, **terms: Any) -> list[bytes]:
    answer = audit.get("/audit/export", **terms)
    assert answer.status_code == 200, answer.text
    lines: list[bytes] = answer.content.splitlines(keepends=True)
    return lines


def _keys(audit: Audit) -> list[Key]:
    return [parse_key(audit.vkey)]


def _checked(audit: Audit, lines: list[bytes]) -> Report:
    return verify_export(lines, _keys(audit))


def _sealed(lines: list[bytes]) -> list[bytes]:
    """The lines with an end that fits them, as a forger would make it."""
    body = lines[:-1]
    end = {"entries": len(body) - 1, "sha256": hashlib.sha256(b"".join(body)).hexdigest()}
    return [*body, json.dumps({"end": end}).encode()]


def test_whole_export_is_good_and_complete(used: Audit) -> None:
    report = _checked(used, _export(used))
    assert report.faults == []
    assert (report.facts["entries"], report.facts["treeSize"], report.facts["complete"]) == (EVENTS, EVENTS, True)


def test_export_of_a_range_is_complete(used: Audit) -> None:
    report = _checked(used, _export(used, firstIndex=100, lastIndex=299))
    assert (report.good, report.facts["entries"], report.facts["complete"]) == (True, 200, True)


def test_filtered_export_is_good_and_does_not_claim_to_be_complete(used: Audit) -> None:
    report = _checked(used, _export(used, subtype="note-read", **{"from": "2020-01-01T00:00:00Z"}))
    assert (report.good, report.facts["entries"], report.facts["complete"]) == (True, EVENTS // 3, False)


def test_export_of_nothing_is_good(used: Audit) -> None:
    assert _checked(used, _export(used, subtype="no-such")).facts["entries"] == 0


def test_export_is_itself_an_entry(used: Audit) -> None:
    _export(used, subtype="note-read")
    logged = used.get("/audit/entries", subtype="audit-export").json()["items"][0]["leaf"]["event"]
    assert logged["details"] == {"filter": {"subtype": "note-read"}, "size": EVENTS}


@pytest.mark.parametrize("role", [Role.CLINICIAN, Role.ADMIN, Role.SERVICE, Role.EHR_SYSTEM])
def test_only_auditors_export(used: Audit, role: Role) -> None:
    assert used.get("/audit/export", role).status_code == 403


def test_malformed_query_is_refused_naming_the_field(used: Audit) -> None:
    answer = used.get("/audit/export", outcome="maybe", limit=3)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"query.outcome", "query.limit"}


def test_edited_entry_is_named(used: Audit) -> None:
    lines = _export(used)
    lines[41] = lines[41].replace(b'"subject":"demo-clinician"', b'"subject":"somebody-else"')
    assert (_checked(used, _sealed(lines)).first_bad, _checked(used, lines).good) == (40, False)


def test_entry_taken_out_is_named(used: Audit) -> None:
    lines = _export(used)
    del lines[41]
    assert _checked(used, _sealed(lines)).first_bad == 40


def test_swapped_entries_are_named(used: Audit) -> None:
    lines = _export(used)
    lines[41], lines[42] = lines[42], lines[41]
    assert _checked(used, _sealed(lines)).first_bad == 40


def test_entry_that_the_filter_does_not_ask_for_is_named(used: Audit) -> None:
    lines, other = _export(used, subtype="note-read"), _export(used, subtype="note-stored")
    lines.insert(1, other[1])
    assert any("filter" in fault.what for fault in _checked(used, _sealed(lines)).faults)


@pytest.mark.parametrize("cut", [1, 2, 300, EVENTS + 1])
def test_cut_export_is_bad(used: Audit, cut: int) -> None:
    assert not _checked(used, _export(used)[:cut]).good


def test_last_entries_taken_out_with_a_new_end_are_missed(used: Audit) -> None:
    lines = _export(used)
    assert _checked(used, _sealed(lines[:501] + lines[-1:])).first_bad == 500


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]\n", b'{"manifest":1}', b"\xff", b"[" * 2000, b'{"manifest":{},"checkpoint":""}']
)
def test_what_is_no_export_is_refused(used: Audit, line: bytes) -> None:
    with pytest.raises(Bad):
        _checked(used, [line])


@pytest.mark.parametrize(
    "line", [b"", b"{}\n", b'{"index":1,"leaf":{},"proof":[]}\n', b'{"index":"1","leaf":1,"proof":1}\n']
)
def test_line_that_is_no_entry_is_bad(used: Audit, line: bytes) -> None:
    lines = _export(used)
    assert not _checked(used, _sealed([*lines[:3], line or b"\n", *lines[3:]])).good


def test_something_behind_the_end_is_bad(used: Audit) -> None:
    lines = _export(used)
    assert not _checked(used, [*lines, lines[1]]).good


def test_30_export_of_another_log_is_refused(used: Audit, bed: TestBed, tmp_path: Path) -> None:
    from tests.support.common import make_test_bed

    with open_audit(make_test_bed(tmp_path / "other")) as other, pytest.raises(Bad, match="not signed by"):
        verify_export(_export(used), _keys(other))


def test_checker_runs_alone_on_an_export(used: Audit, tmp_path: Path) -> None:
    (tmp_path / "export.ndjson").write_bytes(b"".join(_export(used)))
    answer = run_alone("export", str(tmp_path / "export.ndjson"), "--key", used.vkey.strip())
    assert (answer.returncode, answer.stdout.split("\n")[0]) == (0, "GOOD"), answer.stderr
