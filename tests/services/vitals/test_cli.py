"""`consilium import` sends a file, follows it and says what became of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from services.vitals.app import create_app
from services.vitals.cli import import_file
from services.vitals.settings import Settings
from shared.auth import Role
from tests.services.vitals.conftest import NOW, make_sample
from tests.services.vitals.imports.test_fitbit import takeout
from tests.support.common import TestBed
from tests.support.servers import serve


@pytest.fixture
def suite(bed: TestBed, database: str) -> Iterator[str]:
    with serve(create_app(Settings(database_url=database), bed.common, clock=lambda: NOW)) as address:
        yield address


def run(address: str, bed: TestBed, path: Path, *options: str, role: Role = Role.CLINICIAN) -> Result:
    app = typer.Typer()
    app.command("import")(import_file)
    return CliRunner().invoke(app, [str(path), "--url", address, "--token", bed.issuer.mint(role), *options])


def write_lines(path: Path, *values: float) -> Path:
    lines = (make_sample(value=value, effective=f"2026-03-14T08:{n:02}:00Z") for n, value in enumerate(values))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_file_is_sent_followed_and_counted(suite: str, bed: TestBed, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "samples.ndjson", 70, 71, 72)
    done = run(suite, bed, path)
    assert done.exit_code == 0, done.output
    assert "3 records read: 3 accepted, 0 duplicates, 0 rejected, 0 ignored" in done.output
    again = run(suite, bed, path)
    assert (again.exit_code, "has this file already" in again.output) == (0, True)


def test_the_first_rejects_are_shown_with_place_and_fix(suite: str, bed: TestBed, tmp_path: Path) -> None:
    done = run(suite, bed, write_lines(tmp_path / "samples.ndjson", 70, *[-900] * 15))
    assert done.exit_code == 0
    assert len(re.findall(r"line \d+: value is below .*; check value and unit", done.output)) == 10
    assert "and 5 more" in done.output


def test_what_the_suite_misses_is_told_in_its_words(suite: str, bed: TestBed, tmp_path: Path) -> None:
    (tmp_path / "heart.json").write_bytes(takeout("01/09/26 06:32:14"))
    done = run(suite, bed, tmp_path / "heart.json", "--patient", "P-1")
    assert done.exit_code == 1
    assert "zone is missing" in done.output
    assert "Europe/Berlin" in done.output
    done = run(suite, bed, tmp_path / "heart.json", "--patient", "P-1", "--zone", "Europe/Berlin")
    assert (done.exit_code, "1 accepted" in done.output) == (0, True)


def test_a_caller_who_may_not_import_is_told_so(suite: str, bed: TestBed, tmp_path: Path) -> None:
    done = run(suite, bed, write_lines(tmp_path / "samples.ndjson", 70), role=Role.AUDITOR)
    assert (done.exit_code, "needs the role clinician" in done.output) == (1, True)


def test_a_suite_that_does_not_answer_is_told_in_words(bed: TestBed, tmp_path: Path) -> None:
    done = run("http://127.0.0.1:9", bed, write_lines(tmp_path / "samples.ndjson", 70))
    assert (done.exit_code, "does not answer" in done.output) == (1, True)
    assert "Traceback" not in done.output


def test_a_file_that_is_not_there_is_wrong_usage(bed: TestBed, tmp_path: Path) -> None:
    assert run("http://127.0.0.1:9", bed, tmp_path / "none").exit_code == 2
